//! The disk is full: writes are refused with words that say so, reads go on, and once there is space again
//! everything goes on as if nothing had been. A damaged file is refused, and left as it is.

use std::{path::PathBuf, process::Command};

use serde_json::json;

use crate::harness::{Wharf, until, wharf};

const NO_DOCKER: [&str; 2] = ["--docker-host", "unix:///nonexistent/docker.sock"];

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_keeps_reads_and_recovers_with_the_space() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    if !can_mount() {
        eprintln!("skipped: this system lets nobody but its own root mount a small disk in a namespace");
        return;
    }
    // A disk of its own, seen by this process only; it is reached through /proc.
    let script = format!("mount -t tmpfs -o size=6m none '{data}' && exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args(UNSHARE).args(["sh", "-c", &script, "sh", wharf::BINARY, "dev", "--log-format", "json"]);
    let flags = [&NO_DOCKER[..], &["--data-dir", &data]].concat();
    let wharf = Wharf::start_by(command, &flags);
    let ballast = PathBuf::from(format!("/proc/{}/root{data}/ballast", wharf.pid()));

    assert_eq!(wharf.put("/v1/kv/before", &json!("kept")).await.0, 200);
    std::fs::write(&ballast, vec![0; 16 << 20]).expect_err("the disk is small");
    let refused = refused(&wharf).await;
    assert!(refused.contains("catalog database") && refused.contains("full"), "{refused}");
    assert_eq!(wharf.json("/v1/kv/before").await[0]["Key"], "before");
    assert!(wharf.json("/v1/catalog/services").await.is_object());

    std::fs::remove_file(&ballast).unwrap();
    let again = async || wharf.put("/v1/kv/after", &json!("kept")).await;
    until("a write again", again, |(status, _)| *status == 200).await;
    assert_eq!(wharf.json("/v1/kv/?keys").await.as_array().unwrap().last().unwrap(), "before");
    let index = wharf.json("/v1/kv/after").await[0]["ModifyIndex"].as_u64().unwrap();
    assert!(index > wharf.json("/v1/kv/before").await[0]["ModifyIndex"].as_u64().unwrap());
}

/// Writes until one is refused: what fits into the pages there are still does. Its words.
async fn refused(wharf: &Wharf) -> String {
    let value = json!("x".repeat(20_000));
    for n in 0..1_000 {
        let (status, text) = wharf.put(&format!("/v1/kv/a/{n}"), &value).await;
        if status != 200 {
            assert_eq!(status, 500, "{text}");
            let (status, _) = wharf.put(&format!("/v1/kv/b/{n}"), &value).await;
            assert_eq!(status, 500, "the next one is refused as well");
            return text;
        }
    }
    panic!("20 MB went onto a disk of 6 MB");
}

const UNSHARE: [&str; 3] = ["--user", "--map-root-user", "--mount"];

fn can_mount() -> bool {
    let tried = Command::new("unshare").args(UNSHARE).args(["mount", "-t", "tmpfs", "none", "/mnt"]).output();
    tried.is_ok_and(|output| output.status.success())
}

#[test]
fn a_damaged_file_is_refused_with_the_way_out_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let damaged = b"SQLite format 3\0 and then something else, for many bytes".repeat(300);
    std::fs::write(&path, &damaged).unwrap();
    let data = folder.path().display().to_string();
    let addresses =
        ["--http-addr", "127.0.0.1:0", "--dns-addr", "127.0.0.1:0", "--proxy-addr", "127.0.0.1:0"];
    let (code, _, text) =
        wharf::run(&[&["dev", "--data-dir", &data], &addresses[..], &NO_DOCKER[..]].concat());
    assert_eq!(code, 1, "{text}");
    for part in [path.to_str().unwrap(), "left as it is", "restore"] {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), damaged);
}

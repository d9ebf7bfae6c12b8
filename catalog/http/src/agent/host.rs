//! `agent/host`: the machine this agent runs on, from `/proc`. What cannot be read is left out and named in
//! `Errors`.

use std::{collections::BTreeMap, fs};

use axum::{extract::State, response::Response};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Api, error::ApiError, query::Params, respond};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Machine {
    memory: Value,
    #[serde(rename = "CPU")]
    cpu: Vec<Value>,
    host: Value,
    disk: Value,
    /// Nanoseconds since 1970.
    collection_time: i64,
    errors: Option<Vec<String>>,
}

pub(super) async fn host(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let now = api.clock.now().0;
    // Files of the kernel, which answers from memory; still, it is not the runtime's to wait.
    let machine = tokio::task::spawn_blocking(move || machine(now)).await.map_err(|_| ApiError::Closed)?;
    Ok(respond::json(params.pretty(), &machine))
}

fn machine(now: i64) -> Machine {
    let mut errors = Vec::new();
    let mut read = |path: &str| {
        fs::read_to_string(path).map_err(|error| errors.push(format!("{path}: {error}"))).unwrap_or_default()
    };
    let memory = memory(&read("/proc/meminfo"));
    let cpu = cpus(&read("/proc/cpuinfo"));
    let uptime = read("/proc/uptime").split('.').next().and_then(|it| it.parse().ok()).unwrap_or(0_i64);
    let host = json!({
        "hostname": read("/proc/sys/kernel/hostname").trim(),
        "uptime": uptime,
        "bootTime": now / 1_000 - uptime,
        "os": std::env::consts::OS,
        "kernelVersion": read("/proc/sys/kernel/osrelease").trim(),
        "kernelArch": std::env::consts::ARCH,
    });
    let disk = disk("/").unwrap_or_else(|error| {
        errors.push(format!("/: {error}"));
        Value::Null
    });
    let collection_time = now.saturating_mul(1_000_000);
    let errors = (!errors.is_empty()).then_some(errors);
    Machine { memory, cpu, host, disk, collection_time, errors }
}

/// Bytes.
fn memory(meminfo: &str) -> Value {
    let kilobytes: BTreeMap<&str, u64> = meminfo
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(':')?;
            Some((name, rest.split_whitespace().next()?.parse().ok()?))
        })
        .collect();
    let bytes = |name: &str| kilobytes.get(name).copied().unwrap_or(0) * 1024;
    let (total, available) = (bytes("MemTotal"), bytes("MemAvailable"));
    let used = total.saturating_sub(available);
    json!({
        "total": total,
        "available": available,
        "used": used,
        "usedPercent": percent(used, total),
        "free": bytes("MemFree"),
        "active": bytes("Active"),
        "inactive": bytes("Inactive"),
        "buffers": bytes("Buffers"),
        "cached": bytes("Cached"),
        "swapTotal": bytes("SwapTotal"),
        "swapFree": bytes("SwapFree"),
    })
}

fn cpus(cpuinfo: &str) -> Vec<Value> {
    cpuinfo
        .split("\n\n")
        .filter_map(|processor| {
            let fields: BTreeMap<&str, &str> = processor
                .lines()
                .filter_map(|line| line.split_once(':').map(|(name, value)| (name.trim(), value.trim())))
                .collect();
            let text = |name: &str| fields.get(name).copied().unwrap_or_default();
            let number: u32 = fields.get("processor")?.parse().ok()?;
            Some(json!({
                "cpu": number,
                "vendorId": text("vendor_id"),
                "family": text("cpu family"),
                "model": text("model"),
                "physicalId": text("physical id"),
                "coreId": text("core id"),
                "cores": 1,
                "modelName": text("model name"),
                "mhz": text("cpu MHz").parse::<f64>().unwrap_or(0.0),
                "flags": text("flags").split_whitespace().collect::<Vec<_>>(),
            }))
        })
        .collect()
}

fn disk(path: &str) -> std::io::Result<Value> {
    let disk = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    let (total, free) = (bytes(disk.f_blocks), bytes(disk.f_bavail));
    let used = total.saturating_sub(bytes(disk.f_bfree));
    Ok(json!({
        "path": path,
        "total": total,
        "free": free,
        "used": used,
        "usedPercent": percent(used, total),
        "inodesTotal": disk.f_files,
        "inodesFree": disk.f_ffree,
        "inodesUsed": disk.f_files.saturating_sub(disk.f_ffree),
    }))
}

#[expect(clippy::cast_precision_loss, reason = "a percentage needs few digits")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_bytes() {
        let told = memory("MemTotal:       1000 kB\nMemAvailable:    250 kB\nnonsense\n");
        assert_eq!((&told["total"], &told["usedPercent"]), (&json!(1_024_000), &json!(75.0)));
        assert_eq!(memory("")["usedPercent"], json!(0.0));
    }

    #[test]
    fn every_processor_is_told() {
        let told = cpus("processor\t: 0\nmodel name\t: A: B\ncpu MHz\t: 1.5\n\nprocessor\t: 1\n\nrubbish\n");
        assert_eq!(told.len(), 2);
        assert_eq!((&told[0]["modelName"], &told[0]["mhz"]), (&json!("A: B"), &json!(1.5)));
    }
}

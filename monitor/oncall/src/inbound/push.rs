//! A heartbeat as Uptime Kuma's push monitors take it: `GET|POST /api/push/{token}?status=up|down&msg=&ping=`.

use serde_json::json;

use super::{
    Answer, Inbound,
    fields::{LONGEST, cut},
};
use crate::{Alert, Kind};

/// What the query of a heartbeat says of `entity`, which its token stands for.
pub fn push(entity: &str, query: &str) -> Result<Inbound, Answer> {
    let mut alert = Alert::new(entity, Kind::Recovery);
    "push".clone_into(&mut alert.source);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match (&*name, &*value) {
            ("status", "up" | "") => alert.kind = Kind::Recovery,
            ("status", "down") => alert.kind = Kind::Critical,
            ("status", other) => return Err(refused(&format!("`status` is neither up nor down: `{other}`"))),
            ("msg", text) => alert.message = cut(text.to_owned(), LONGEST),
            ("ping", "") => {}
            ("ping", text) => match text.parse::<f64>() {
                Ok(ping) if ping.is_finite() && ping >= 0.0 => {
                    alert.fields.insert("ping".to_owned(), text.to_owned());
                }
                _ => return Err(refused(&format!("`ping` is no number of milliseconds: `{text}`"))),
            },
            _ => {}
        }
    }
    Ok(Inbound { alerts: vec![alert], answer: Answer { status: 200, body: json!({ "ok": true }) } })
}

fn refused(message: &str) -> Answer {
    Answer { status: 400, body: json!({ "ok": false, "msg": message }) }
}

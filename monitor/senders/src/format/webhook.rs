//! Our own: a `POST` of JSON, signed.

use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::json;
use sha2::Sha256;
use wharf_oncall::{Secret, state::Occasion};

use super::{Request, address};
use crate::message::Message;

pub(super) fn request(
    url: &Secret,
    secret: Option<&Secret>,
    message: &Message<'_>,
) -> Result<Request, String> {
    let event = match message.context.occasion {
        Occasion::Triggered => "incident.triggered",
        Occasion::Acknowledged => "incident.acknowledged",
        Occasion::Resolved => "incident.resolved",
        Occasion::Test => "test",
    };
    let mut body = serde_json::to_value(message.context)
        .map_err(|error| format!("cannot be written as JSON: {error}"))?;
    body["event"] = json!(event);
    body["title"] = json!(message.title);
    body["text"] = json!(message.text);
    let mut request = Request::json(address(url.reveal())?, &body)?;
    request.answer_unread = true;
    let headers = &mut request.headers;
    headers.insert(HeaderName::from_static("x-wharf-event"), HeaderValue::from_static(event));
    headers.insert(HeaderName::from_static("x-wharf-delivery"), HeaderValue::from(message.context.delivery));
    if let Some(secret) = secret {
        let signature = signature(secret, request.body.as_deref().unwrap_or_default())?;
        return request.with_secret(HeaderName::from_static("x-wharf-signature"), &signature);
    }
    Ok(request)
}

/// `sha256=<hex>`, the HMAC-SHA256 of the body's bytes.
fn signature(secret: &Secret, body: &[u8]) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes())
        .map_err(|_| "the webhook's secret cannot sign".to_owned())?;
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256={hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_of_rfc_4231() {
        let signed = signature(&Secret::new("Jefe"), b"what do ya want for nothing?").unwrap();
        assert_eq!(signed, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}

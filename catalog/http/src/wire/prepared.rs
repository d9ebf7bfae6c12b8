//! Prepared queries: read from what clients send. How they are shown is how they are kept.

use std::collections::BTreeMap;

use wharf_catalog::prepared::{DnsOptions, Failover, PreparedQuery, Question, Template};

use crate::{duration, error::ApiError, fields::Fields};

type Result<T> = std::result::Result<T, ApiError>;

/// Reads a definition. Whether it can be answered is `PreparedQuery::check`'s to say.
pub(crate) fn read(mut fields: Fields) -> Result<PreparedQuery> {
    let query = PreparedQuery {
        id: fields.text("ID")?,
        name: fields.text("Name")?,
        session: fields.text("Session")?,
        token: fields.text("Token")?,
        template: optional(&mut fields, "Template", template)?,
        service: optional(&mut fields, "Service", question)?,
        dns: optional(&mut fields, "DNS", dns)?,
    };
    for told in ["CreateIndex", "ModifyIndex"] {
        fields.integer(told)?;
    }
    fields.finish()?;
    check_ttl(&query.dns.ttl)?;
    Ok(query)
}

fn optional<T: Default>(
    fields: &mut Fields,
    name: &str,
    read: impl FnOnce(&mut Fields) -> Result<T>,
) -> Result<T> {
    let Some(mut inner) = fields.object(name)? else {
        return Ok(T::default());
    };
    let value = read(&mut inner)?;
    inner.finish()?;
    Ok(value)
}

fn template(fields: &mut Fields) -> Result<Template> {
    Ok(Template {
        kind: fields.text("Type")?,
        regexp: fields.text("Regexp")?,
        remove_empty_tags: fields.flag("RemoveEmptyTags")?,
    })
}

fn question(fields: &mut Fields) -> Result<Question> {
    Ok(Question {
        service: fields.text("Service")?,
        failover: optional(fields, "Failover", failover)?,
        only_passing: fields.flag("OnlyPassing")?,
        ignore_check_ids: some(fields.texts("IgnoreCheckIDs")?),
        near: fields.text("Near")?,
        tags: some(fields.texts("Tags")?),
        node_meta: some_map(fields.text_map("NodeMeta")?),
        service_meta: some_map(fields.text_map("ServiceMeta")?),
        connect: fields.flag("Connect")?,
    })
}

fn failover(fields: &mut Fields) -> Result<Failover> {
    Ok(Failover {
        nearest_n: fields.integer("NearestN")?.unwrap_or(0),
        datacenters: some(fields.texts("Datacenters")?),
    })
}

fn dns(fields: &mut Fields) -> Result<DnsOptions> {
    Ok(DnsOptions { ttl: fields.text("TTL")? })
}

fn check_ttl(ttl: &str) -> Result<()> {
    let refused =
        |why: String| Err(ApiError::Refused(format!("Invalid prepared query: Bad DNS TTL '{ttl}'{why}")));
    if ttl.is_empty() {
        return Ok(());
    }
    match duration::parse(ttl) {
        Ok(nanoseconds) if nanoseconds < 0 => refused(", must be >= 0".to_owned()),
        Ok(_) => Ok(()),
        Err(_) => refused(format!(": time: invalid duration \"{ttl}\"")),
    }
}

fn some(list: Vec<String>) -> Option<Vec<String>> {
    (!list.is_empty()).then_some(list)
}

fn some_map(map: BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    (!map.is_empty()).then_some(map)
}

//! What a mesh proxy says of itself: read from registrations, told in two shapes - the agent leaves out what is
//! empty in an upstream, the catalog does not.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use wharf_catalog::{Instance, MeshProxy, MeshUpstream};

use crate::{error::ApiError, fields::Fields};

type Result<T> = std::result::Result<T, ApiError>;

/// Reads `Proxy` and `Connect` into `instance`, whose kind is known.
pub(crate) fn read(fields: &mut Fields, instance: &mut Instance) -> Result<()> {
    let proxy = fields.object("Proxy")?.map(read_proxy).transpose()?.unwrap_or_default();
    let connect = fields.object("Connect")?;
    if let Some(mut connect) = connect {
        instance.mesh_native = connect.flag("Native")?;
        if connect.says("SidecarService") {
            return Err(ApiError::bad(
                "`Connect.SidecarService` needs a service mesh, and there is none here: register the service itself",
            ));
        }
        connect.finish()?;
    }
    instance.proxy = (proxy != MeshProxy::default()).then(|| Box::new(proxy));
    Ok(())
}

fn read_proxy(mut fields: Fields) -> Result<MeshProxy> {
    let proxy = MeshProxy {
        destination_service: fields.text("DestinationServiceName")?,
        destination_id: fields.text("DestinationServiceID")?,
        local_address: fields.text("LocalServiceAddress")?,
        local_port: fields.integer("LocalServicePort")?.unwrap_or(0),
        config: fields.values("Config")?.unwrap_or_default(),
        upstreams: fields.objects("Upstreams")?.into_iter().map(read_upstream).collect::<Result<_>>()?,
        gateway_mode: gateway_mode(&mut fields)?,
        expose: fields.values("Expose")?.unwrap_or_default(),
    };
    fields.finish()?;
    Ok(proxy)
}

fn read_upstream(mut fields: Fields) -> Result<MeshUpstream> {
    let upstream = MeshUpstream {
        destination_type: match fields.text("DestinationType")? {
            kind if kind.is_empty() => "service".to_owned(),
            kind => kind,
        },
        destination: fields.text("DestinationName")?,
        namespace: fields.text("DestinationNamespace")?,
        datacenter: fields.text("Datacenter")?,
        bind_address: fields.text("LocalBindAddress")?,
        bind_port: fields.integer("LocalBindPort")?.unwrap_or(0),
        config: fields.values("Config")?.unwrap_or_default(),
        gateway_mode: gateway_mode(&mut fields)?,
    };
    fields.finish()?;
    Ok(upstream)
}

fn gateway_mode(fields: &mut Fields) -> Result<String> {
    let Some(mut gateway) = fields.object("MeshGateway")? else {
        return Ok(String::new());
    };
    let mode = gateway.text("Mode")?;
    gateway.finish()?;
    Ok(mode)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GatewayView<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    mode: &'a str,
}

/// `Proxy`: of an ordinary service it is all but empty.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ProxyView<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    destination_service_name: &'a str,
    #[serde(rename = "DestinationServiceID", skip_serializing_if = "str::is_empty")]
    destination_service_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    local_service_address: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    local_service_port: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<&'a BTreeMap<String, Value>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    upstreams: Vec<UpstreamView<'a>>,
    mesh_gateway: GatewayView<'a>,
    expose: BTreeMap<&'a str, &'a Value>,
}

/// In the agent's shape when `datacenter` and `config` are left out.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UpstreamView<'a> {
    destination_type: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    destination_namespace: &'a str,
    destination_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    datacenter: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    local_bind_address: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    local_bind_port: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<Option<&'a BTreeMap<String, Value>>>,
    mesh_gateway: GatewayView<'a>,
}

/// Whose shape?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Teller {
    Agent,
    Catalog,
}

impl<'a> ProxyView<'a> {
    /// As the catalog tells it.
    pub(crate) fn of(instance: &'a Instance) -> Self {
        instance.proxy.as_deref().map_or_else(Self::none, |proxy| Self::new(proxy, Teller::Catalog))
    }

    /// As the agent tells it: not at all, unless it is one.
    pub(crate) fn local(instance: &'a Instance) -> Option<Self> {
        instance.proxy.as_deref().map(|proxy| Self::new(proxy, Teller::Agent))
    }

    fn none() -> Self {
        Self {
            destination_service_name: "",
            destination_service_id: "",
            local_service_address: "",
            local_service_port: 0,
            config: None,
            upstreams: Vec::new(),
            mesh_gateway: GatewayView { mode: "" },
            expose: BTreeMap::new(),
        }
    }

    fn new(proxy: &'a MeshProxy, teller: Teller) -> Self {
        Self {
            destination_service_name: &proxy.destination_service,
            destination_service_id: &proxy.destination_id,
            local_service_address: &proxy.local_address,
            local_service_port: proxy.local_port,
            config: unless_empty(&proxy.config),
            upstreams: proxy.upstreams.iter().map(|upstream| UpstreamView::new(upstream, teller)).collect(),
            mesh_gateway: GatewayView { mode: &proxy.gateway_mode },
            expose: proxy.expose.iter().map(|(name, value)| (name.as_str(), value)).collect(),
        }
    }
}

impl<'a> UpstreamView<'a> {
    fn new(upstream: &'a MeshUpstream, teller: Teller) -> Self {
        let config = unless_empty(&upstream.config);
        let told = |has: bool| teller == Teller::Catalog || has;
        Self {
            destination_type: &upstream.destination_type,
            destination_namespace: &upstream.namespace,
            destination_name: &upstream.destination,
            datacenter: told(!upstream.datacenter.is_empty()).then_some(&upstream.datacenter),
            local_bind_address: &upstream.bind_address,
            local_bind_port: upstream.bind_port,
            config: told(config.is_some()).then_some(config),
            mesh_gateway: GatewayView { mode: &upstream.gateway_mode },
        }
    }
}

/// `Connect`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ConnectView {
    #[serde(skip_serializing_if = "Option::is_none")]
    native: Option<bool>,
}

impl ConnectView {
    pub(crate) fn of(instance: &Instance) -> Self {
        Self { native: instance.mesh_native.then_some(true) }
    }

    /// As the agent tells it: not at all, unless it says something.
    pub(crate) fn local(instance: &Instance) -> Option<Self> {
        instance.mesh_native.then(|| Self::of(instance))
    }
}

fn unless_empty(map: &BTreeMap<String, Value>) -> Option<&BTreeMap<String, Value>> {
    (!map.is_empty()).then_some(map)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

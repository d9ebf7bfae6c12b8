//! The answer to a transaction: results, or which operations failed and why.

use serde::Serialize;
use wharf_catalog::Reply;

use super::{check::CheckView, kv::KeyView, node::NodeView, service::ServiceView};

/// What a transaction answers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TxnView<'a> {
    pub(crate) results: Option<Vec<ResultView<'a>>>,
    pub(crate) errors: Option<Vec<OperationError>>,
    /// Only where nothing was to be written.
    #[serde(flatten)]
    pub(crate) read: Option<ReadMeta>,
}

/// What Consul says of every read; the index of these it leaves open.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ReadMeta {
    index: u64,
    last_contact: u64,
    known_leader: bool,
    consistency_level: &'static str,
}

/// Of one server, which leads.
pub(crate) const READ_META: ReadMeta =
    ReadMeta { index: 0, last_contact: 0, known_leader: true, consistency_level: "" };

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OperationError {
    /// Position in the transaction, from 0.
    pub(crate) op_index: usize,
    pub(crate) what: String,
}

/// One thing an operation tells.
#[derive(Serialize)]
pub(crate) enum ResultView<'a> {
    #[serde(rename = "KV")]
    Key(KeyView<'a>),
    Node(NodeView<'a>),
    Service(ServiceView<'a>),
    Check(CheckView<'a>),
}

impl<'a> ResultView<'a> {
    /// Everything a reply holds; the values of keys only if `with_values`.
    pub(crate) fn all(reply: &'a Reply, with_values: bool, datacenter: &'a str) -> Vec<Self> {
        let key = |entry| {
            let view = KeyView::from(entry);
            Self::Key(if with_values { view } else { view.bare() })
        };
        match reply {
            Reply::Done => Vec::new(),
            Reply::Key(entry) => vec![key(&**entry)],
            Reply::Keys(entries) => entries.iter().map(|entry| key(&**entry)).collect(),
            Reply::Node(node) => vec![Self::Node(NodeView::new(node, datacenter))],
            Reply::Instance(instance) => {
                vec![Self::Service(ServiceView::from(&**instance).null_for_no_tags())]
            }
            Reply::Check(check) => vec![Self::Check(CheckView::new(check).null_for_no_tags())],
        }
    }
}

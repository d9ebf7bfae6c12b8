//! `/v1/acl`: there is no access control here, and every endpoint of it says so as a Consul with ACLs off
//! does.

use axum::Router;

use crate::{
    Api,
    error::ApiError,
    routing::{allowed, beneath, exact},
};

pub(crate) fn routes() -> Router<Api> {
    let router = EXACT
        .into_iter()
        .fold(Router::new(), |router, (path, allow)| exact(router, path, allow, allowed(allow, off)));
    BENEATH
        .into_iter()
        .fold(router, |router, (path, allow)| beneath(router, path, allow, allowed(allow, off)))
}

/// What every endpoint of access control answers.
pub(crate) async fn off() -> ApiError {
    ApiError::Disabled("ACL support disabled".to_owned())
}

/// Path, what it allows.
const EXACT: [(&str, &str); 20] = [
    ("/v1/acl/bootstrap", "OPTIONS,PUT"),
    ("/v1/acl/login", "OPTIONS,POST"),
    ("/v1/acl/logout", "OPTIONS,POST"),
    ("/v1/acl/replication", "OPTIONS,GET"),
    ("/v1/acl/create", "OPTIONS,PUT"),
    ("/v1/acl/update", "OPTIONS,PUT"),
    ("/v1/acl/list", "OPTIONS,GET"),
    ("/v1/acl/rules/translate", "OPTIONS,POST"),
    ("/v1/acl/tokens", "OPTIONS,GET"),
    ("/v1/acl/token", "OPTIONS,PUT"),
    ("/v1/acl/token/self", "OPTIONS,GET"),
    ("/v1/acl/policies", "OPTIONS,GET"),
    ("/v1/acl/policy", "OPTIONS,PUT"),
    ("/v1/acl/roles", "OPTIONS,GET"),
    ("/v1/acl/role", "OPTIONS,PUT"),
    ("/v1/acl/binding-rules", "OPTIONS,GET"),
    ("/v1/acl/binding-rule", "OPTIONS,PUT"),
    ("/v1/acl/auth-methods", "OPTIONS,GET"),
    ("/v1/acl/auth-method", "OPTIONS,PUT"),
    ("/v1/acl/authorize", "OPTIONS,POST"),
];

const BENEATH: [(&str, &str); 11] = [
    ("/v1/acl/destroy", "OPTIONS,PUT"),
    ("/v1/acl/info", "OPTIONS,GET"),
    ("/v1/acl/clone", "OPTIONS,PUT"),
    ("/v1/acl/rules/translate", "OPTIONS,GET"),
    ("/v1/acl/token", "OPTIONS,GET,PUT,DELETE"),
    ("/v1/acl/policy", "OPTIONS,GET,PUT,DELETE"),
    ("/v1/acl/policy/name", "OPTIONS,GET"),
    ("/v1/acl/role", "OPTIONS,GET,PUT,DELETE"),
    ("/v1/acl/role/name", "OPTIONS,GET"),
    ("/v1/acl/binding-rule", "OPTIONS,GET,PUT,DELETE"),
    ("/v1/acl/auth-method", "OPTIONS,GET,PUT,DELETE"),
];

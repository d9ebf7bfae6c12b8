//! Functions that are known and not here, and what to use instead.

/// Functions of sprig whose result is another one every time, or takes the network.
const CHANGING: &[&str] = &[
    "randAlphaNum",
    "randAlpha",
    "randAscii",
    "randNumeric",
    "randBytes",
    "randInt",
    "shuffle",
    "uuidv4",
    "bcrypt",
    "htpasswd",
    "genPrivateKey",
    "genCA",
    "genCAWithKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "buildCustomCert",
    "encryptAES",
    "getHostByName",
];

/// Why there is no function of this name, if there is a reason.
pub(super) fn why(name: &str) -> Option<String> {
    let (feature, instead) = match name {
        "secret" | "secrets" | "pkiCert" => {
            ("secrets of Vault", "let Vault Agent write them, and read them with `file`")
        }
        "nomadService" | "nomadServices" | "nomadVar" | "nomadVarExists" | "nomadVarList"
        | "nomadVarListSafe" => {
            ("data of Nomad", "register the services in the catalog, and keep variables under keys")
        }
        "caRoots" | "caLeaf" => {
            ("certificates of the service mesh, and this catalog issues none", "read files with `file`")
        }
        _ if name.strip_prefix("sprig_").is_some_and(|name| CHANGING.contains(&name)) => (
            "something that is different every time, and the file would be published anew with every render",
            "keep the value under a key, or in a file",
        ),
        _ => return None,
    };
    Some(format!("`{name}` asks for {feature}: {instead}"))
}

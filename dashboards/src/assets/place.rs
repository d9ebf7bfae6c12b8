//! Which of the pages does a path name?

/// The script of the page at `path`, as `assets/js/pages` has it; `None` where there is none. Keep in step
/// with `assets/js/router.js`.
pub(super) fn page_at(path: &str) -> Option<&'static str> {
    let rest = path.strip_prefix("/ui/")?;
    let Some((family, name)) = rest.split_once('/') else {
        return Some(match rest {
            "" => "overview",
            "services" => "services",
            "incidents" => "incidents",
            "outages" => "outages",
            "events" => "events",
            "nodes" => "nodes",
            "oncall" => "oncall",
            _ => return None,
        });
    };
    match (family, name) {
        ("services", name) => match name.split_once('/') {
            Some((service, instance)) => {
                let named = !service.is_empty() && !instance.is_empty() && !instance.contains('/');
                named.then_some("instance")
            }
            None => (!name.is_empty()).then_some("service"),
        },
        ("incidents", number) => number.parse::<u64>().is_ok().then_some("incident"),
        ("oncall", "calendar") => Some("calendar"),
        ("oncall", "who") => Some("who"),
        ("oncall", "deliveries") => Some("deliveries"),
        ("oncall", "silences") => Some("silences"),
        ("oncall", "setup") => Some("setup"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_and_its_instances_have_pages() {
        assert_eq!(page_at("/ui/services/web"), Some("service"));
        assert_eq!(page_at("/ui/services/web/host%3Aweb-1%3A80"), Some("instance"));
        for path in ["/ui/services/", "/ui/services//", "/ui/services/web/", "/ui/services/web/1/2"] {
            assert_eq!(page_at(path), None, "{path}");
        }
    }
}

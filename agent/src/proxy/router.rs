//! Which application a request is for, by its host and the beginning of its path.
//!
//! First the host decides: the applications that name it exactly, else those with the longest `*.` that it fits, else
//! those that name no host. Then the longest base URI among these. What is compared is the path as it was sent: a
//! spelling with escapes is another path, so that nobody gets around a rule about paths in front of this server.
//!
//! A look costs a hash for each label of the host and each segment of the longest base URI, however many applications
//! there are.

use std::collections::HashMap;

/// No host is longer (RFC 1035, 2.3.4); looking up longer ones would only cost time.
const LONGEST_HOST: usize = 255;

/// Finds applications.
pub struct Router<T> {
    hosts: HashMap<Box<str>, Paths<T>>,
    /// By what follows `*.`.
    wildcards: HashMap<Box<str>, Paths<T>>,
    others: Paths<T>,
}

/// The applications of one host.
struct Paths<T> {
    /// By base URI, such as `/shop`.
    bases: HashMap<Box<str>, T>,
    /// How many segments the longest base URI has.
    depth: usize,
    /// The one at `/`.
    top: Option<T>,
}

/// There is no application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// At this host.
    Host,
    /// At this path of the host.
    Path,
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self { hosts: HashMap::new(), wildcards: HashMap::new(), others: Paths::default() }
    }
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { bases: HashMap::new(), depth: 0, top: None }
    }
}

impl<T: Clone> Router<T> {
    /// Adds an application at a base URI (empty or `/shop`) of these hosts (in lower case, `*.example.com` for all below
    /// `example.com`), or of all that nobody names. It takes the place of one that is there.
    pub fn add(&mut self, server_names: &[String], base_uri: &str, app: &T) {
        if server_names.is_empty() {
            self.others.add(base_uri, app.clone());
        }
        for name in server_names {
            let (hosts, name) = match name.strip_prefix("*.") {
                Some(domain) => (&mut self.wildcards, domain),
                None => (&mut self.hosts, name.as_str()),
            };
            hosts.entry(name.into()).or_default().add(base_uri, app.clone());
        }
    }
}

impl<T> Router<T> {
    /// The application for a request, and how many bytes of the target are its base URI. `host` is the `Host` header or
    /// the target's authority, `target` has the origin form (RFC 9112, 3.2.1) or is `*`.
    ///
    /// # Errors
    /// When nothing is there.
    pub fn find(&self, host: &[u8], target: &str) -> Result<(&T, usize), Miss> {
        let paths = if self.hosts.is_empty() && self.wildcards.is_empty() { None } else { self.named(host) };
        let paths = paths.unwrap_or(&self.others);
        if paths.bases.is_empty() && paths.top.is_none() {
            return Err(Miss::Host);
        }
        paths.find(target).ok_or(Miss::Path)
    }

    /// The applications that name this host.
    fn named(&self, host: &[u8]) -> Option<&Paths<T>> {
        let host = without_port(host).to_ascii_lowercase();
        let host = std::str::from_utf8(host.strip_suffix(b".").unwrap_or(&host)).ok()?;
        if host.len() > LONGEST_HOST {
            return None;
        }
        let domains = host.match_indices('.').map(|(at, _)| &host[at + 1..]);
        self.hosts.get(host).or_else(|| domains.into_iter().find_map(|domain| self.wildcards.get(domain)))
    }
}

impl<T> Paths<T> {
    fn add(&mut self, base_uri: &str, app: T) {
        if base_uri.is_empty() {
            self.top = Some(app);
        } else {
            self.depth = self.depth.max(base_uri.matches('/').count());
            self.bases.insert(base_uri.into(), app);
        }
    }

    fn find(&self, target: &str) -> Option<(&T, usize)> {
        let path = target.split('?').next().unwrap_or_default();
        // After the first segment, after the second…, at most up to the end of the longest base URI.
        let borders = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]).take(self.depth);
        let longest = borders.filter_map(|end| Some((self.bases.get(&path[..end])?, end))).last();
        longest.or(self.top.as_ref().map(|app| (app, 0)))
    }
}

/// A host without its port (RFC 3986, 3.2.2 and 3.2.3).
fn without_port(host: &[u8]) -> &[u8] {
    match host.iter().rposition(|&byte| byte == b':') {
        Some(colon) if host[colon + 1..].iter().all(u8::is_ascii_digit) => &host[..colon],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn router(apps: &[(&str, &str, &'static str)]) -> Router<&'static str> {
        let mut router = Router::default();
        for (hosts, base_uri, app) in apps {
            let hosts: Vec<String> = hosts.split_whitespace().map(str::to_owned).collect();
            router.add(&hosts, base_uri, app);
        }
        router
    }

    #[rstest]
    #[case("shop.com", Ok("shop"))]
    #[case("SHOP.com:8080", Ok("shop"))]
    #[case("shop.com.", Ok("shop"))]
    #[case("shop.com.:80", Ok("shop"))]
    #[case("shop.com:", Ok("shop"))]
    #[case("www.shop.com", Ok("below shop"))]
    #[case("a.b.shop.com", Ok("below shop"))]
    #[case("a.eu.shop.com", Ok("below eu"))]
    #[case("exact.eu.shop.com", Ok("exact"))]
    #[case("[2001:db8::1]:80", Ok("six"))]
    #[case("[2001:DB8::1]", Ok("six"))]
    #[case("xshop.com", Err(Miss::Host))]
    #[case("eu.shop.com.evil", Err(Miss::Host))]
    #[case(".shop.com", Ok("below shop"))]
    #[case("", Err(Miss::Host))]
    #[case("com", Err(Miss::Host))]
    fn the_nearest_name_counts(#[case] host: &str, #[case] app: Result<&str, Miss>) {
        let router = router(&[
            ("shop.com", "", "shop"),
            ("*.shop.com", "", "below shop"),
            ("*.eu.shop.com", "", "below eu"),
            ("exact.eu.shop.com", "", "exact"),
            ("[2001:db8::1]", "", "six"),
        ]);
        assert_eq!(router.find(host.as_bytes(), "/").map(|(app, _)| *app), app);
    }

    #[rstest]
    #[case("/", Some(("top", 0)))]
    #[case("*", Some(("top", 0)))]
    #[case("/api", Some(("api", 4)))]
    #[case("/api/", Some(("api", 4)))]
    #[case("/api?a=/b", Some(("api", 4)))]
    #[case("/api/v2/users", Some(("v2", 7)))]
    #[case("/api/v2", Some(("v2", 7)))]
    #[case("/api/v20", Some(("api", 4)))]
    #[case("/apis", Some(("top", 0)))]
    #[case("/API", Some(("top", 0)))]
    #[case("/%61pi", Some(("top", 0)))]
    #[case("/api%2Fv2", Some(("top", 0)))]
    #[case("//api", Some(("top", 0)))]
    #[case("/x/api", Some(("top", 0)))]
    #[case("/?/api", Some(("top", 0)))]
    #[case("/deep/er", Some(("top", 0)))]
    #[case("/deep/er/est/x", Some(("deep", 12)))]
    fn the_longest_base_uri_counts(#[case] target: &str, #[case] found: Option<(&'static str, usize)>) {
        let router =
            router(&[("", "", "top"), ("", "/api", "api"), ("", "/api/v2", "v2"), ("", "/deep/er/est", "deep")]);
        assert_eq!(router.find(b"any.host", target).ok().map(|(app, length)| (*app, length)), found);
    }

    #[test]
    fn a_host_of_its_own_is_no_part_of_the_rest() {
        let router = router(&[("", "", "rest"), ("", "/both", "rest"), ("a.com b.com", "/both", "named")]);
        assert_eq!(router.find(b"a.com", "/both"), Ok((&"named", 5)));
        assert_eq!(router.find(b"b.com", "/other"), Err(Miss::Path));
        assert_eq!(router.find(b"a.com", "*"), Err(Miss::Path));
        assert_eq!(router.find(b"c.com", "/both"), Ok((&"rest", 5)));
    }

    proptest! {
        /// What is found is what a look at each application in turn finds.
        #[test]
        fn finds_what_comparing_with_every_base_uri_finds(
            bases in prop::collection::hash_set("(/[ab]{1,2}){0,4}", 1..12),
            target in "/?([ab%]{0,2}/?){0,6}(\\?[ab/]{0,4})?",
        ) {
            let mut router = Router::default();
            for base in &bases {
                router.add(&[], base, base);
            }
            let path = target.split('?').next().unwrap();
            let fits = |base: &&String| {
                path.strip_prefix(base.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || base.is_empty())
            };
            let expected = bases.iter().filter(fits).max_by_key(|base| base.len());
            prop_assert_eq!(router.find(b"", &target).ok(), expected.map(|base| (base, base.len())));
        }

        /// No host that a client can send does harm.
        #[test]
        fn any_host_is_one_or_none(host in prop::collection::vec(any::<u8>(), 0..300)) {
            let router = router(&[("a.com", "", "a"), ("*.b", "", "b")]);
            prop_assert!(matches!(router.find(&host, "/"), Ok((&("a" | "b"), 0)) | Err(Miss::Host)));
        }
    }
}

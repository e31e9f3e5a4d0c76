//! Redirects (RFC 9110 §15.4): the address that a redirect names, and whether to follow it.

use crate::client::url::Url;
use crate::error::RedirectError;
use tidegate_core::handshake::Response;

/// Whether this response is a redirect.
pub(crate) fn is_redirect(response: &Response) -> bool {
    matches!(response.status(), 301 | 302 | 303 | 307 | 308)
}

/// The address that this redirect names, without credentials: those come from the application, not
/// from a server.
pub(crate) fn redirect_target(base: &Url, response: &Response) -> Result<Url, RedirectError> {
    let location = response.headers().get("Location").ok_or(RedirectError::Location)?;
    let url = resolve(base, location)?;
    if base.is_secure() && !url.is_secure() {
        return Err(RedirectError::Downgrade);
    }
    Ok(url)
}

/// Resolves a reference against the address that it came from (RFC 3986 §5.2).
fn resolve(base: &Url, reference: &str) -> Result<Url, RedirectError> {
    // A fragment names a part of a document, and there is no document here.
    let reference = reference.split('#').next().unwrap_or_default();
    let path_end = reference.find(['/', '?']).unwrap_or(reference.len());
    let first = reference.get(..path_end).unwrap_or_default();
    let absolute = if first.ends_with(':') {
        reference.into()
    } else if first.contains(':') {
        // A colon in the first segment ends a scheme (RFC 3986 §4.2). Here it is one without `//`,
        // such as `mailto:a`.
        return Err(RedirectError::Location);
    } else if reference.starts_with("//") {
        let scheme = if base.is_secure() { "wss" } else { "ws" };
        format!("{scheme}:{reference}")
    } else {
        let path = base.target().split('?').next().unwrap_or_default();
        let target = match reference.chars().next() {
            None => base.target().into(),
            Some('/') => without_dots(reference),
            Some('?') => format!("{path}{reference}"),
            Some(_) => {
                let directory = path.rfind('/').and_then(|end| path.get(..=end)).unwrap_or("/");
                without_dots(&format!("{directory}{reference}"))
            }
        };
        format!("{}{target}", base.origin())
    };
    absolute.parse().map(Url::without_credentials).map_err(|_| RedirectError::Location)
}

/// Removes the segments `.` and `..` from the path of a target (RFC 3986 §5.2.4).
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_directory = false;
    for segment in path.split('/').skip(1) {
        ends_in_directory = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    // A path that ends with `.` or `..` names a directory, and keeps a slash at its end.
    if ends_in_directory {
        kept.push("");
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let base: Url = "ws://me:x@a.test:81/b/c/d?q=1".parse().expect("valid");
        for (reference, target) in [
            ("ws://b.test/x", "ws://b.test/x"),
            ("HTTPS://b.test", "wss://b.test/"),
            ("http://u:p@b.test/", "ws://b.test/"),
            ("//b.test/x?y", "ws://b.test/x?y"),
            ("/x/../y/./z", "ws://a.test:81/y/z"),
            ("e", "ws://a.test:81/b/c/e"),
            ("e/?u=http://x/../y", "ws://a.test:81/b/c/e/?u=http://x/../y"),
            ("../e", "ws://a.test:81/b/e"),
            ("..", "ws://a.test:81/b/"),
            ("../../../../e", "ws://a.test:81/e"),
            ("?r=2", "ws://a.test:81/b/c/d?r=2"),
            ("#x", "ws://a.test:81/b/c/d?q=1"),
            ("", "ws://a.test:81/b/c/d?q=1"),
            ("/x#y", "ws://a.test:81/x"),
        ] {
            let url = resolve(&base, reference).expect(reference);
            assert_eq!(
                (url.to_string().as_str(), url.credentials()),
                (target, None),
                "{reference}"
            );
        }
        for reference in [
            "ftp://a/",
            "mailto:a",
            "a:b",
            "ws:",
            "http:///x",
            "/a b",
            "//",
            // Other parsers read these as `evil.test`, and as an address.
            "https://evil.test\\@a.test/",
            "//evil.test\\@a.test/",
            "/\\evil.test/",
            "\\\\evil.test/",
            "http://127.1/",
        ] {
            assert_eq!(resolve(&base, reference), Err(RedirectError::Location), "{reference}");
        }
    }
}

//! Keeps secrets that a URL can carry out of every message.

use std::borrow::Cow;

/// Stands for what is not shown.
pub const HIDDEN: char = '…';

/// A text without the secrets of the URLs in it: query strings (signatures, tokens) and names with passwords before the
/// host are replaced by `…`.
///
/// A URL ends at white space, a quote or an angle bracket, none of which it may hold.
pub fn redacted(text: &str) -> Cow<'_, str> {
    const BEGIN: &str = "://";
    if !text.contains(BEGIN) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        let (before, url) = rest.split_at(at + BEGIN.len());
        shown += before;
        let end = url.find(|c: char| c.is_whitespace() || "\"'`<>".contains(c)).unwrap_or(url.len());
        let (url, after) = url.split_at(end);
        push_url(&mut shown, url);
        rest = after;
    }
    Cow::Owned(shown + rest)
}

fn push_url(shown: &mut String, url: &str) {
    // A password that should have been escaped may hold any sign but this.
    let authority = url.find('/').unwrap_or(url.len());
    let url = match url[..authority].rfind('@') {
        Some(at) => {
            shown.push(HIDDEN);
            &url[at..]
        }
        None => url,
    };
    match url.split_once('?') {
        // What was hidden before may have the rest of a sentence behind it.
        Some((name, query)) if !query.is_empty() && !query.starts_with(HIDDEN) => {
            *shown += name;
            shown.extend(['?', HIDDEN]);
        }
        _ => *shown += url,
    }
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn queries_and_passwords_are_hidden_and_the_rest_stays() {
        for (text, shown) in [
            ("no URL? none", "no URL? none"),
            ("see https://a.org/x.tif now", "see https://a.org/x.tif now"),
            ("a \"https://a.org/x.tif?sig=S&b=1\" b", "a \"https://a.org/x.tif?…\" b"),
            ("https://me:pw@a.org/x.tif?sig=S", "https://…@a.org/x.tif?…"),
            ("https://me:p?w@a.org/x", "https://…@a.org/x"),
            ("/vsicurl/http://a/x.tif?s=1 and s3://b/k?t=2", "/vsicurl/http://a/x.tif?… and s3://b/k?…"),
            ("https://a/x.tif?…, band 1", "https://a/x.tif?…, band 1"),
            ("https://a.org/mail@me/x.tif", "https://a.org/mail@me/x.tif"),
        ] {
            assert_eq!(redacted(text), shown);
            assert_eq!(redacted(&redacted(text)), shown, "twice");
        }
    }
}

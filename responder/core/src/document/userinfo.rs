//! Masks the user and the password of URLs, so that no excerpt of a file prints one, for any kind of problem.

use std::borrow::Cow;

/// The line with `*` for each byte between `://` and the last `@` before a blank or a quote. Byte offsets stay valid.
pub(super) fn masked(line: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut done = 0;
    for (scheme_end, separator) in line.match_indices("://") {
        let start = scheme_end + separator.len();
        let url = line.get(start..).unwrap_or_default();
        let url = url
            .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\''))
            .next()
            .unwrap_or_default();
        if let Some(length) = url.rfind('@').filter(|_| start >= done) {
            masked.push_str(line.get(done..start).unwrap_or_default());
            masked.extend(std::iter::repeat_n('*', length));
            done = start + length;
        }
    }
    if done == 0 {
        return Cow::Borrowed(line);
    }
    masked.push_str(line.get(done..).unwrap_or_default());
    Cow::Owned(masked)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::masked;

    #[rstest]
    #[case("servers: [nats://nats:4222]", "servers: [nats://nats:4222]")]
    #[case("mail: a@b", "mail: a@b")]
    #[case("a: nats://me:pw@nats:4222 # b@c", "a: nats://*****@nats:4222 # b@c")]
    #[case("[nats://token@a, tls://u:p@b]", "[nats://*****@a, tls://***@b]")]
    #[case("[nats://u:p,q@a,nats://v:r@b]", "[nats://******************@b]")]
    #[case("url: 'https://u:p@w@host/x'", "url: 'https://*****@host/x'")]
    #[case("a: nats://mü:pw@h", "a: nats://******@h")]
    fn only_the_user_part_of_a_url_is_masked(#[case] line: &str, #[case] expected: &str) {
        assert_eq!(masked(line), expected);
        assert_eq!(masked(line).len(), line.len());
    }
}

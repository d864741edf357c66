//! Recognises Falco's text output, so that the refusal can name the setting to change.

use super::Priority;

/// Whether the body looks like a line from Falco with `json_output: false`, which is Falco's default:
/// `13:44:05.478445995: Critical A shell …`, or with `time_format_iso_8601`
/// `2026-07-06T23:05:05.771201256+0000: Critical …` (`formats.cpp`).
pub(super) fn is_falco_text(body: &[u8]) -> bool {
    // The longest prefix, an ISO time and `Informational`, has fewer than 64 bytes.
    let head = body.get(..64).unwrap_or(body);
    let Some(colon) = head.windows(2).position(|pair| pair == b": ") else {
        return false;
    };
    let (time, rest) = (&head[..colon], &head[colon + 2..]);
    let word = rest.split(|byte| *byte == b' ').next().unwrap_or_default();
    time.first().is_some_and(u8::is_ascii_digit)
        && time.contains(&b':')
        && time
            .iter()
            .all(|byte| byte.is_ascii_digit() || b":.-+TZ".contains(byte))
        && str::from_utf8(word).is_ok_and(|word| word.parse::<Priority>().is_ok())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::is_falco_text;

    #[rstest]
    #[case(b"13:44:05.478445995: Critical A shell was spawned".as_slice(), true)]
    #[case(b"2026-07-06T23:05:05.771201256+0000: Informational x", true)]
    #[case(b"13:44:05.478445995: Notice \xff\xfe", true)]
    #[case(b"13:44:05.478445995: Hello", false)]
    #[case(b"{\"time\": \"13:44:05: Critical\"}", false)]
    #[case(b"13", false)]
    #[case(b"", false)]
    fn the_text_output_is_known_by_its_prefix(#[case] body: &[u8], #[case] text: bool) {
        assert_eq!(is_falco_text(body), text);
    }
}

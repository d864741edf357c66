//! The `time` key of an alert.

use jiff::Timestamp;

/// Reads Falco's time (nine digits and `Z`), falcosidekick's (trailing zeros dropped) and ISO 8601 with an offset
/// (`+0000`, `+02:00`), exact to the nanosecond.
///
/// A time at or before 1970 is refused: libs count nanoseconds since 1970 in a `uint64_t`, and Go writes
/// `0001-01-01T00:00:00Z` for a missing time; falcosidekick refuses it too (`types.go`).
pub(super) fn parse(written: &str) -> Result<Timestamp, &'static str> {
    let time: Timestamp = written
        .parse()
        .map_err(|_| "is not a time like 2023-05-25T13:44:05.478445995Z; send Falco's own")?;
    if time <= Timestamp::UNIX_EPOCH {
        return Err("is a zero time; the sender lost the event's own, which ages and identifies the alert");
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::parse;

    #[rstest]
    #[case("2023-05-10T14:09:24.046826000Z", 1_683_727_764_046_826_000)]
    #[case("2023-05-10T14:09:24.046826Z", 1_683_727_764_046_826_000)]
    #[case("2022-02-15T14:03:12.123639040+0000", 1_644_933_792_123_639_040)]
    #[case("2022-02-15T16:03:12.123639040+02:00", 1_644_933_792_123_639_040)]
    #[case("2026-07-22T14:24:41Z", 1_784_730_281_000_000_000)]
    #[case("1970-01-01T00:00:00.000000001Z", 1)]
    fn a_time_is_read_to_the_nanosecond(#[case] written: &str, #[case] nanoseconds: i128) {
        assert_eq!(parse(written).unwrap().as_nanosecond(), nanoseconds);
    }

    #[rstest]
    #[case("")]
    #[case("13:44:05.478445995")]
    #[case("2023-05-10T14:09:24.046826")]
    #[case("2023-13-10T14:09:24Z")]
    #[case("2023-05-10T14:09:24.0468260001Z")]
    #[case("1683727764046826000")]
    #[case("0001-01-01T00:00:00Z")]
    #[case("1970-01-01T00:00:00Z")]
    fn a_text_that_is_no_time_of_an_event_is_refused(#[case] written: &str) {
        assert!(parse(written).is_err());
    }
}

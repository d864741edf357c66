//! Joins the pieces of long lines, which a container runtime has cut.

use std::borrow::Cow;

use super::log_line::ContainerStream;

/// The pieces of the line under way, for each stream.
#[derive(Debug)]
pub(super) struct Pieces {
    bound: usize,
    stdout: Option<Joined<'static>>,
    stderr: Option<Joined<'static>>,
}

/// A line of one piece or of several.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joined<'a> {
    /// The number of the line of the file that has the first piece.
    pub(super) first: u64,
    /// The text. Of a text past the bound there is one byte past it.
    pub(super) text: Cow<'a, [u8]>,
}

impl Pieces {
    pub(super) const fn new(bound: usize) -> Self {
        Self {
            bound,
            stdout: None,
            stderr: None,
        }
    }

    /// Adds a piece; the whole line if it is the last one.
    pub(super) fn join<'a>(
        &mut self,
        stream: ContainerStream,
        number: u64,
        piece: Cow<'a, [u8]>,
        is_last: bool,
    ) -> Option<Joined<'a>> {
        let bound = self.bound;
        let begun = match stream {
            ContainerStream::Stdout => &mut self.stdout,
            ContainerStream::Stderr => &mut self.stderr,
        };
        let Some(joined) = begun else {
            let joined = Joined {
                first: number,
                text: piece,
            };
            if is_last {
                return Some(joined);
            }
            *begun = Some(Joined {
                first: number,
                text: joined.text.into_owned().into(),
            });
            return None;
        };
        let room = bound.saturating_add(1).saturating_sub(joined.text.len());
        let added = piece.get(..room).unwrap_or(&piece);
        joined.text.to_mut().extend_from_slice(added);
        if is_last { begun.take() } else { None }
    }

    /// A line whose last piece has not come.
    pub(super) fn take(&mut self) -> Option<Joined<'static>> {
        self.stdout.take().or_else(|| self.stderr.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(
        pieces: &mut Pieces,
        stream: ContainerStream,
        number: u64,
        text: &str,
        is_last: bool,
    ) -> Option<(u64, String)> {
        let joined = pieces.join(stream, number, text.as_bytes().into(), is_last)?;
        Some((joined.first, String::from_utf8(joined.text.into_owned()).unwrap()))
    }

    #[test]
    fn the_pieces_of_two_streams_are_joined_apart() {
        let mut pieces = Pieces::new(100);
        assert_eq!(join(&mut pieces, ContainerStream::Stdout, 1, "ab", false), None);
        assert_eq!(join(&mut pieces, ContainerStream::Stderr, 2, "x", false), None);
        assert_eq!(
            join(&mut pieces, ContainerStream::Stdout, 3, "c", true),
            Some((1, "abc".to_owned()))
        );
        assert_eq!(
            join(&mut pieces, ContainerStream::Stdout, 4, "d", true),
            Some((4, "d".to_owned()))
        );
        assert_eq!(pieces.take().map(|joined| joined.first), Some(2));
        assert_eq!(pieces.take(), None);
    }

    #[test]
    fn a_line_without_an_end_is_kept_to_one_byte_past_the_bound() {
        let mut pieces = Pieces::new(5);
        for number in 1..100 {
            assert_eq!(join(&mut pieces, ContainerStream::Stdout, number, "abc", false), None);
        }
        assert_eq!(
            join(&mut pieces, ContainerStream::Stdout, 100, "abc", true),
            Some((1, "abcabc".to_owned()))
        );
    }
}

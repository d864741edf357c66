//! The Content-Encoding of a body: none, or gzip.

use std::io::Read as _;

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Not at all.
    Identity,
    /// With gzip.
    Gzip,
}

/// The body has an encoding that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnknownEncoding;

/// Why a compressed body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotDecoded {
    /// The body exceeds the bound once it is decompressed.
    TooLarge,
    /// The body is no gzip, it is cut or damaged, or something follows it.
    Broken,
}

impl Encoding {
    pub(super) fn parse(headers: &HeaderMap) -> Result<Self, UnknownEncoding> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let Some(encoding) = values.next() else {
            return Ok(Self::Identity);
        };
        let is = |name: &[u8]| encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(name);
        match values.next() {
            None if is(b"identity") => Ok(Self::Identity),
            // x-gzip is another name of it (RFC 9110).
            None if is(b"gzip") || is(b"x-gzip") => Ok(Self::Gzip),
            _ => Err(UnknownEncoding),
        }
    }

    /// The body without its encoding. Decompression stops one byte past the bound, whatever would follow.
    pub(super) fn decode(self, body: Bytes, bound: usize) -> Result<Bytes, NotDecoded> {
        if self == Self::Identity {
            return Ok(body);
        }
        let most = (bound as u64).saturating_add(1);
        let (mut gzip, mut decoded) = (GzDecoder::new(&body[..]), Vec::new());
        gzip.by_ref()
            .take(most)
            .read_to_end(&mut decoded)
            .map_err(|_| NotDecoded::Broken)?;
        if decoded.len() > bound {
            return Err(NotDecoded::TooLarge);
        }
        // Thousands of empty gzips in a row are a lot of work for no text.
        if !gzip.get_ref().is_empty() {
            return Err(NotDecoded::Broken);
        }
        Ok(decoded.into())
    }
}

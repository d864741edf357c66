//! How large an alert may be: the first thing that decoding looks at.

/// Upper bounds of one alert. What is past one of them is refused with an error that names the bound, never cut.
///
/// The defaults leave Falco's largest alerts a wide margin: a default rule's alert has 1 to 2 kB, 15 to 30 fields and
/// at most some 20 tags; only rules that print a whole audit object (`jevt.obj`, `ka.req.configmap.obj`) come near.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the body. Default: 262144 (256 KiB). Checked before the first byte is read.
    pub body: usize,
    /// Levels of arrays and objects under a top-level key that Falco does not write. Default: 16.
    /// (Falco's own keys have fixed shapes: an object of scalars and of flat lists.)
    pub depth: usize,
    /// Output fields; and, counted apart, top-level keys that Falco does not write. Default: 512.
    pub fields: usize,
    /// Bytes of any one string, keys included, after its escapes are resolved. Default: 131072 (128 KiB).
    pub string: usize,
    /// Tags. Default: 128.
    pub tags: usize,
    /// Elements of one list among the output fields. Default: 1024.
    pub list: usize,
}

impl Bounds {
    /// No bound but memory: for what this process itself wrote after it had decoded it within bounds.
    pub const NONE: Self = Self {
        body: usize::MAX,
        depth: usize::MAX,
        fields: usize::MAX,
        string: usize::MAX,
        tags: usize::MAX,
        list: usize::MAX,
    };
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body: 256 * 1024,
            depth: 16,
            fields: 512,
            string: 128 * 1024,
            tags: 128,
            list: 1024,
        }
    }
}

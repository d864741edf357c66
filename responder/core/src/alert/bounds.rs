//! How large an alert may be; checked while it is decoded.

/// Upper bounds of one alert. An alert past a bound is refused with an error that names the bound; nothing is cut.
///
/// The defaults leave a wide margin over Falco's largest alerts: an alert of a default rule has 1 to 2 kB, 15 to 30
/// fields and at most about 20 tags. Only rules that print a whole audit object (`jevt.obj`, `ka.req.configmap.obj`)
/// come near.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the body. Default: 262144 (256 KiB). Checked before the first byte is read.
    pub body: usize,
    /// Levels of arrays and objects under a top-level key that Falco does not write. Default: 16.
    /// (Falco's own keys have fixed shapes: an object of scalars and of flat lists.)
    pub depth: usize,
    /// Output fields. Default: 512. Top-level keys that Falco does not write have the same bound, counted separately.
    pub fields: usize,
    /// Bytes of any one string, keys included, after its escapes are resolved. Default: 131072 (128 KiB).
    pub string: usize,
    /// Tags. Default: 128.
    pub tags: usize,
    /// Elements of one list among the output fields. Default: 1024.
    pub list: usize,
}

impl Bounds {
    /// No bound but memory: for alerts that this process decoded within bounds and wrote itself.
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

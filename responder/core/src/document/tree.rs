//! YAML as a tree in which every key and value knows its place.
//!
//! Restricted to the values of JSON: plain scalars are read by YAML 1.2's core schema (`yes`, `on` and `0755` are
//! text), tags outside that schema and merge keys are refused, anchors are allowed within bounds.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

mod node;
mod scalar;

pub(crate) use node::{Content, MappingEntry, Node};
use scalar::plain;

/// Bounds of a file. Playbooks have a few hundred nodes; the bounds stop alias bombs and towers of brackets.
pub(crate) const MAX_BYTES: usize = 1 << 20;
const MAX_NODES: usize = 50_000;
const MAX_DEPTH: usize = 64;

/// A problem in the YAML syntax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The byte range in the file.
    pub(crate) at: Range<usize>,
    /// The problem in one sentence, without a full stop.
    pub(crate) message: String,
    /// The suggested correction.
    pub(crate) help: Option<String>,
    /// For a key that appears twice: the byte offset of the first.
    pub(crate) first: Option<usize>,
}

impl Fault {
    fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            help: None,
            first: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The documents of a file, as far as they parse, and the file's syntax problems.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) documents: Vec<Node>,
    pub(crate) faults: Vec<Fault>,
}

/// Reads a file of any number of documents. Empty documents are left out.
pub(crate) fn read(text: &str) -> Stream {
    let mut stream = Stream::default();
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        stream.faults.push(Fault::new(0..0, message));
        return stream;
    }
    let mut options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        emit_unresolved_aliases: true,
    };
    options.set_emit_comments(false);
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut budget = MAX_NODES;
    loop {
        match Builder::new(&mut budget, &mut stream.faults).document(&mut parser) {
            Ok(Some(document)) if document.value == Content::Null => {}
            Ok(Some(document)) => stream.documents.push(document),
            Ok(None) => return stream,
            Err(Stop::Bound(fault)) => {
                stream.faults.push(fault);
                return stream;
            }
            Err(Stop::Syntax(error)) => {
                stream.faults.push(syntax(text, &error));
                // Parsing resumes at the next `---`, so one run reports on all documents.
                if !matches!(parser.proceed_next_document(), Ok(true)) {
                    return stream;
                }
            }
        }
    }
}

fn syntax(text: &str, error: &ScanError) -> Fault {
    let start = text.floor_char_boundary(error.marker().byte_offset().unwrap_or(text.len()));
    let end = start
        + text
            .get(start..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, char::len_utf8);
    let line = text
        .get(..start)
        .and_then(|before| before.lines().next_back())
        .unwrap_or_default();
    let fault = Fault::new(start..end, format!("this is not YAML: {}", error.info()));
    if line.contains('\t') {
        fault.help("indent with spaces: YAML takes no tabs")
    } else if matches!(text.get(start..end), Some("%" | "@" | "`")) {
        fault.help("put text that begins like this in quotes")
    } else {
        fault
    }
}

enum Stop {
    Syntax(ScanError),
    Bound(Fault),
}

impl From<ScanError> for Stop {
    fn from(error: ScanError) -> Self {
        Self::Syntax(error)
    }
}

/// A list or mapping whose end has not been read yet.
struct Open {
    anchor: usize,
    start: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map(Vec<MappingEntry>, Option<(String, Range<usize>)>),
}

struct Builder<'a> {
    budget: &'a mut usize,
    faults: &'a mut Vec<Fault>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
}

impl<'a> Builder<'a> {
    fn new(budget: &'a mut usize, faults: &'a mut Vec<Fault>) -> Self {
        Self {
            budget,
            faults,
            open: Vec::new(),
            anchors: HashMap::new(),
        }
    }

    /// Reads up to the end of a document; `None` at the end of the file.
    fn document<'i>(mut self, parser: &mut Parser<'i, StrInput<'i>>) -> Result<Option<Node>, Stop> {
        let mut root = None;
        loop {
            let Some(event) = parser.next_event() else {
                return Ok(None);
            };
            let (event, span) = event?;
            let at = range(&span);
            let complete = match event {
                Event::StreamEnd => return Ok(None),
                Event::DocumentEnd => return Ok(Some(root.unwrap_or_else(|| Node::new(at, Content::Null)))),
                Event::Scalar(text, style, anchor, tag) => {
                    let core = tag.as_deref().map(|tag| tag.core_suffix().map(str::to_owned));
                    let value = match (core, style) {
                        (None, ScalarStyle::Plain) => plain(&text),
                        (None, _) => Content::Text(text.into_owned()),
                        (Some(Some(name)), _) if name == "str" => Content::Text(text.into_owned()),
                        (Some(Some(name)), _) if matches!(&*name, "null" | "bool" | "int" | "float") => plain(&text),
                        (Some(_), _) => {
                            self.tag(&span, &at);
                            Content::Text(text.into_owned())
                        }
                    };
                    Some((anchor, Node::new(at, value)))
                }
                Event::SequenceStart(_, anchor, tag) => {
                    self.collection(anchor, &span, at.start, tag.is_some(), Items::List(Vec::new()));
                    None
                }
                Event::MappingStart(_, anchor, tag) => {
                    self.collection(anchor, &span, at.start, tag.is_some(), Items::Map(Vec::new(), None));
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => self.open.pop().map(|open| {
                    let at = open.start..at.end.max(open.start);
                    let value = match open.items {
                        Items::List(nodes) => Content::List(nodes),
                        Items::Map(entries, _) => Content::Map(entries),
                    };
                    (open.anchor, Node::new(at, value))
                }),
                Event::Alias(anchor) => Some((0, self.alias(anchor, at)?)),
                Event::UnresolvedAlias(name) => {
                    let fault = Fault::new(at.clone(), format!("there is no anchor `&{name}`"));
                    self.faults.push(fault.help("put text that begins with `*` in quotes"));
                    Some((0, Node::new(at, Content::Text(format!("*{name}")))))
                }
                _ => None,
            };
            if let Some((anchor, node)) = complete {
                self.spend(1, &node.at)?;
                if anchor != 0 {
                    self.anchors.insert(anchor, node.clone());
                }
                match self.open.last_mut() {
                    Some(open) => put(&mut open.items, node, self.faults),
                    None => root = Some(node),
                }
            }
        }
    }

    fn collection(&mut self, anchor: usize, span: &Span, start: usize, tagged: bool, items: Items) {
        if tagged {
            self.tag(span, &(start..start));
        }
        self.open.push(Open { anchor, start, items });
    }

    fn tag(&mut self, span: &Span, at: &Range<usize>) {
        let at = span.tag_span().map_or_else(|| at.clone(), |tag| range(&tag));
        self.faults
            .push(Fault::new(at, "tags have no meaning here").help("put text that begins with `!` in quotes"));
    }

    fn alias(&mut self, anchor: usize, at: Range<usize>) -> Result<Node, Stop> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(Stop::Bound(Fault::new(
                at,
                "this alias is inside the value that it refers to",
            )));
        };
        let (size, height) = (anchored.size(), anchored.height());
        if self.open.len() + height > MAX_DEPTH {
            return Err(Stop::Bound(Fault::new(
                at,
                format!("nested deeper than {MAX_DEPTH} levels"),
            )));
        }
        let mut node = anchored.clone();
        node.at = at.clone();
        self.spend(size, &at)?;
        Ok(node)
    }

    fn spend(&mut self, nodes: usize, at: &Range<usize>) -> Result<(), Stop> {
        let Some(rest) = self.budget.checked_sub(nodes) else {
            let message = format!("the file has more than {MAX_NODES} values, counting those that aliases repeat");
            return Err(Stop::Bound(Fault::new(at.clone(), message).help("split the file")));
        };
        *self.budget = rest;
        Ok(())
    }
}

fn put(items: &mut Items, node: Node, faults: &mut Vec<Fault>) {
    match items {
        Items::List(nodes) => nodes.push(node),
        Items::Map(_, key @ None) => {
            let at = node.at.clone();
            let text = match node.value {
                Content::Text(text) => text,
                Content::Null => "null".to_owned(),
                Content::Boolean(truth) => truth.to_string(),
                Content::Integer(integer) => integer.to_string(),
                Content::Float(float) => float.to_string(),
                Content::List(_) | Content::Map(_) => {
                    faults.push(Fault::new(at.clone(), "a key is text, not a collection"));
                    String::new()
                }
            };
            *key = Some((text, at));
        }
        Items::Map(entries, key) => {
            let Some((key, key_at)) = key.take() else { return };
            if key == "<<" {
                faults.push(Fault::new(key_at, "merge keys (`<<`) are not read").help("write the keys out"));
            } else if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let fault = Fault::new(key_at, format!("the key `{key}` is here twice"));
                faults.push(Fault {
                    first: Some(first.key_at.start),
                    ..fault
                });
            } else {
                entries.push(MappingEntry {
                    key,
                    key_at,
                    value: node,
                });
            }
        }
    }
}

fn range(span: &Span) -> Range<usize> {
    // Parsers of in-memory text always have byte offsets.
    let range = span.byte_range().unwrap_or(0..0);
    range.start..range.end.max(range.start)
}

#[cfg(test)]
mod tests;

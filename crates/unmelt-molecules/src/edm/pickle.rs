//! Pickles as plain data: what Python wrote as dictionaries, lists, numbers and text, as JSON.
//!
//! Nothing is imported, made or called. Values stand in one table and name each other by their places, so that a file
//! takes no more memory than it has bytes; what unfolds from it is counted against a budget.

use serde_json::{Map, Number, Value};
use unmelt_diffusion::files::limits::limits;

/// Values and characters that may unfold from a pickle.
const BUDGET: usize = 1 << 20;

/// A place in the table of values.
type Place = usize;

enum Node {
    Value(Value),
    List(Vec<Place>),
    Dict(Vec<(Place, Place)>),
    /// An instance of a class, by its state where it was given one.
    Object(Option<Place>),
}

/// Reads a pickle of protocol 0 to 5. The instance of a class is what its fields hold; what else a class makes is null.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    let mut machine =
        Machine { bytes, at: 0, nodes: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: Vec::new() };
    let root = machine.run()?;
    let mut budget = BUDGET;
    machine.unfold(root, limits().depth, &mut budget)
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Place>,
    /// Heights of the stack.
    marks: Vec<usize>,
    /// Numbers and what they stand for.
    memo: Vec<(u64, Place)>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Place, String> {
        loop {
            let code = self.take(1)?[0];
            if code == b'.' {
                return self.pop();
            }
            self.step(code)?;
        }
    }

    fn step(&mut self, code: u8) -> Result<(), String> {
        match code {
            // The protocol, and the length of a frame.
            0x80 => self.take(1).map(drop),
            0x95 => self.take(8).map(drop),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(drop),
            b'1' => self.pop_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
                Ok(())
            }
            b'N' => self.push(Value::Null),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'I' | b'L' | b'F' | b'J' | b'K' | b'M' | 0x8a | 0x8b | b'G' => self.number(code),
            b'S' | b'V' | b'T' | b'U' | b'X' | 0x8c | 0x8d | b'B' | b'C' | 0x8e | 0x96 => self.text(code),
            b')' | b']' | 0x8f => self.push_node(Node::List(Vec::new())),
            b't' | b'l' | 0x91 => {
                let items = self.pop_mark()?;
                self.push_node(Node::List(items))
            }
            0x85..=0x87 => {
                let first = self.stack.len().checked_sub(usize::from(code - 0x84)).ok_or_else(underflow)?;
                self.above_mark(first)?;
                let items = self.stack.split_off(first);
                self.push_node(Node::List(items))
            }
            b'}' => self.push_node(Node::Dict(Vec::new())),
            b'd' => {
                let items = self.pop_mark()?;
                self.push_node(Node::Dict(pairs(&items)))
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.append(&items)
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.insert(&[key, value])
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.insert(&items)
            }
            b'g' | b'h' | b'j' | b'p' | b'q' | b'r' | 0x94 => self.remember(code),
            _ => self.object(code),
        }
    }

    /// Classes and their instances, which are only what is built of them.
    fn object(&mut self, code: u8) -> Result<(), String> {
        match code {
            b'c' => {
                self.line()?;
                self.line()?;
            }
            0x93 | b'R' | 0x81 => {
                self.pop()?;
                self.pop()?;
            }
            0x92 => {
                self.pop()?;
                self.pop()?;
                self.pop()?;
            }
            b'i' => {
                self.line()?;
                self.line()?;
                self.pop_mark()?;
            }
            b'o' => drop(self.pop_mark()?),
            b'P' => drop(self.line()?),
            b'Q' => drop(self.pop()?),
            b'b' => {
                let state = self.pop()?;
                let object = self.top()?;
                self.nodes[object] = Node::Object(Some(state));
                return Ok(());
            }
            other => return Err(format!("it has the code {other:#04x}, which no settings need")),
        }
        self.push_node(Node::Object(None))
    }

    fn number(&mut self, code: u8) -> Result<(), String> {
        let no_number = |text: &str| format!("\"{text}\" in it is no number");
        let value = match code {
            b'J' => i64::from(i32::from_le_bytes(self.array()?)).into(),
            b'K' => self.array::<1>()?[0].into(),
            b'M' => u16::from_le_bytes(self.array()?).into(),
            b'G' => real(f64::from_be_bytes(self.array()?)),
            0x8a => {
                let length = usize::from(self.array::<1>()?[0]);
                long(self.take(length)?)
            }
            0x8b => {
                let length = u32::from_le_bytes(self.array()?) as usize;
                long(self.take(length)?)
            }
            b'F' => {
                let text = self.line()?;
                real(text.parse().map_err(|_| no_number(&text))?)
            }
            _ => match self.line()?.as_str() {
                "00" => Value::Bool(false),
                "01" => Value::Bool(true),
                text => text.trim_end_matches('L').parse::<i64>().map_err(|_| no_number(text))?.into(),
            },
        };
        self.push(value)
    }

    fn text(&mut self, code: u8) -> Result<(), String> {
        let bytes = match code {
            b'S' | b'V' => {
                let line = self.line()?;
                return self.push(Value::String(line.trim_matches(['\'', '"']).into()));
            }
            b'U' | b'C' | 0x8c => {
                let length = u64::from(self.array::<1>()?[0]);
                self.counted(length)?
            }
            b'T' | b'X' | b'B' => {
                let length = u64::from(u32::from_le_bytes(self.array()?));
                self.counted(length)?
            }
            _ => {
                let length = u64::from_le_bytes(self.array()?);
                self.counted(length)?
            }
        };
        self.push(Value::String(String::from_utf8_lossy(bytes).into_owned()))
    }

    /// Puts the top into the memo, or something of the memo on top.
    fn remember(&mut self, code: u8) -> Result<(), String> {
        let number = match code {
            b'g' | b'p' => self.line()?.parse().map_err(|_| "its memo is broken".to_string())?,
            b'h' | b'q' => self.array::<1>()?[0].into(),
            b'j' | b'r' => u32::from_le_bytes(self.array()?).into(),
            _ => self.memo.len() as u64,
        };
        let known = self.memo.binary_search_by_key(&number, |(n, _)| *n);
        if matches!(code, b'g' | b'h' | b'j') {
            let place = known.map(|k| self.memo[k].1).map_err(|_| "its memo lacks a value".to_string())?;
            self.stack.push(place);
            return Ok(());
        }
        let top = self.top()?;
        match known {
            Ok(k) => self.memo[k].1 = top,
            Err(k) => self.memo.insert(k, (number, top)),
        }
        Ok(())
    }

    fn append(&mut self, items: &[Place]) -> Result<(), String> {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::List(list) => list.extend(items),
            Node::Object(_) => {}
            _ => return Err("it appends to what is no list".into()),
        }
        Ok(())
    }

    fn insert(&mut self, items: &[Place]) -> Result<(), String> {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::Dict(dict) => dict.extend(pairs(items)),
            Node::Object(_) => {}
            _ => return Err("it sets items of what is no dictionary".into()),
        }
        Ok(())
    }

    fn push(&mut self, value: Value) -> Result<(), String> {
        self.push_node(Node::Value(value))
    }

    fn push_node(&mut self, node: Node) -> Result<(), String> {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    /// Checks that everything from a height on stands above the last mark.
    fn above_mark(&self, height: usize) -> Result<(), String> {
        match self.marks.last() {
            Some(mark) if height < *mark => Err(underflow()),
            _ => Ok(()),
        }
    }

    fn top(&self) -> Result<Place, String> {
        self.above_mark(self.stack.len().saturating_sub(1))?;
        self.stack.last().copied().ok_or_else(underflow)
    }

    fn pop(&mut self) -> Result<Place, String> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_mark(&mut self) -> Result<Vec<Place>, String> {
        let mark = self.marks.pop().ok_or_else(underflow)?;
        Ok(self.stack.split_off(mark))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let cut = || "it is cut off".to_string();
        let end = self.at.checked_add(count).ok_or_else(cut)?;
        let bytes = self.bytes.get(self.at..end).ok_or_else(cut)?;
        self.at = end;
        Ok(bytes)
    }

    fn counted(&mut self, length: u64) -> Result<&'a [u8], String> {
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "it is cut off".to_string())
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|b| *b == b'\n').ok_or("it is cut off")?;
        self.at += length + 1;
        Ok(String::from_utf8_lossy(&rest[..length]).trim_end_matches('\r').into())
    }

    /// A value with all that it names, within a depth and a budget.
    fn unfold(&self, place: Place, depth: u64, budget: &mut usize) -> Result<Value, String> {
        let depth = depth.checked_sub(1).ok_or("it is nested deeper than any settings")?;
        let cost = match &self.nodes[place] {
            Node::Value(Value::String(text)) => 1 + text.len(),
            _ => 1,
        };
        *budget = budget.checked_sub(cost).ok_or("it unfolds to more values than any settings have")?;
        match &self.nodes[place] {
            Node::Value(value) => Ok(value.clone()),
            Node::List(items) => items.iter().map(|k| self.unfold(*k, depth, budget)).collect(),
            Node::Dict(items) => {
                let mut map = Map::new();
                for (key, value) in items {
                    let key = match self.unfold(*key, depth, budget)? {
                        Value::String(text) => text,
                        other => other.to_string(),
                    };
                    map.insert(key, self.unfold(*value, depth, budget)?);
                }
                Ok(Value::Object(map))
            }
            Node::Object(Some(state)) => self.unfold(*state, depth, budget),
            Node::Object(None) => Ok(Value::Null),
        }
    }
}

fn underflow() -> String {
    "it takes values that are not there".into()
}

fn pairs(items: &[Place]) -> Vec<(Place, Place)> {
    items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

/// A number, null where it is not finite.
fn real(x: f64) -> Value {
    Number::from_f64(x).map_or(Value::Null, Value::Number)
}

/// A whole number of little-endian bytes in two's complement; null where it has more than 64 bits.
fn long(bytes: &[u8]) -> Value {
    let Some(last) = bytes.last() else { return 0.into() };
    if bytes.len() > 8 {
        return Value::Null;
    }
    let mut all = [if last & 0x80 == 0 { 0 } else { 0xff }; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(all).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_protocol_says_the_same() {
        let wanted = json!({"nf": 192, "tanh": true, "factors": [1.0, 4.0], "name": "qm9", "none": null, "big": -70000});
        // pickle.dumps(argparse.Namespace(nf=192, tanh=True, factors=[1.0, 4.0], name="qm9", none=None, big=-70000)).
        let zero = b"ccopy_reg\n_reconstructor\np0\n(cargparse\nNamespace\np1\nc__builtin__\nobject\np2\nNtp3\nRp4\n(dp5\n\
            Vnf\np6\nI192\nsVtanh\np7\nI01\nsVfactors\np8\n(lp9\nF1.0\naF4.0\nasVname\np10\nVqm9\np11\nsVnone\np12\nNsVbig\n\
            p13\nI-70000\nsb.";
        assert_eq!(parse(zero), Ok(wanted.clone()));
        let mut four = b"\x80\x04\x8c\x08argparse\x94\x8c\x09Namespace\x94\x93\x94)\x81\x94}\x94(".to_vec();
        four.extend(b"\x8c\x02nf\x94K\xc0\x8c\x04tanh\x94\x88\x8c\x07factors\x94]\x94(G\x3f\xf0\0\0\0\0\0\0G\x40\x10\0\0\0\0\0\0e");
        four.extend(b"\x8c\x04name\x94\x8c\x03qm9\x94\x8c\x04none\x94N\x8c\x03big\x94J\x90\xee\xfe\xffub.");
        assert_eq!(parse(&four), Ok(wanted));
    }

    #[test]
    fn what_unfolds_is_counted() {
        let laughs = [&b"N"[..], &b"2\x86".repeat(40), b"."].concat();
        assert_eq!(laughs.len(), 82);
        assert!(parse(&laughs).is_err(), "deep");
        // Twenty levels are not too deep, but a million values are too many.
        let wide = [&b"N"[..], &b"2\x86".repeat(20), b"."].concat();
        assert!(parse(&wide).expect_err("many").contains("more values"));
        let text = [&b"(X\xff\xff\0\0"[..], &[b'a'; 0xffff], &b"2".repeat(100), b"t."].concat();
        assert!(parse(&text).expect_err("long").contains("more values"));
        // A list that holds itself.
        assert!(parse(b"]q\0h\0a.").expect_err("a circle").contains("nested"));
        let deep = [&b"N"[..], &b"\x85".repeat(60_000), b"."].concat();
        assert!(parse(&deep).expect_err("deep").contains("nested"));
    }

    #[test]
    fn broken_pickles_are_sentences() {
        for bad in [
            &b""[..],
            b".",
            b"a.",
            b"N",
            b"(",
            b"t.",
            b"\x85.",
            b"(\x85.",
            b"h\x07.",
            b"I1x\n.",
            b"X\xff\xff\xff\xff.",
            b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff.",
            b"\x8b\xff\xff\xff\xff.",
            b"c",
            b"Nb.",
            b"NNs.",
            b"NNa.",
            b"\x82\x01.",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}

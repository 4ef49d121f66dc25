//! Data fields behind the structure of a record, as RDKit reads them.

/// Names and values in the order of the file. A name is all between the first `<` and the last `>` of its line; a value ends
/// at an empty line, whatever its own lines begin with. A name that comes again has its last value.
pub(super) fn read(lines: &[&str]) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at].trim();
        at += 1;
        if !line.starts_with('>') {
            continue;
        }
        let end = at + value_length(&lines[at..]);
        if let Some(name) = name(line) {
            let value = lines[at..end].join("\n");
            let place = *places.entry(name.to_string()).or_insert(fields.len());
            match fields.get_mut(place) {
                Some(field) => field.1 = value,
                None => fields.push((name.into(), value)),
            }
        }
        at = end;
    }
    fields
}

/// The name in a header line; none where it has no `<` with a `>` behind.
fn name(line: &str) -> Option<&str> {
    let rest = line.get(1..)?;
    let (open, close) = (rest.find('<')?, rest.rfind('>')?);
    rest.get(open + 1..close).filter(|name| !name.is_empty())
}

/// How many lines the value that begins here has. Lines of blanks belong to it, unless nothing or the next field follows.
fn value_length(lines: &[&str]) -> usize {
    let mut length = 0;
    while let Some(line) = lines.get(length) {
        if !line.trim().is_empty() {
            length += 1;
            continue;
        }
        let blanks = lines[length..].iter().take_while(|l| !l.is_empty() && l.trim().is_empty()).count();
        match lines.get(length + blanks) {
            Some(next) if blanks > 0 && !next.is_empty() && !is_header(next) => length += blanks,
            _ => break,
        }
    }
    length
}

fn is_header(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('>') && name(line).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(String, String)> {
        read(&text.split('\n').collect::<Vec<_>>())
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    /// Values that RDKit 2026.3 gives for the same text.
    #[test]
    fn names_and_values_are_those_of_rdkit() {
        let text = ">  <123 > 456>  (1) \n1.5\n\n> 25 <MELTING.POINT>\n171\n\n>Arbitrary goes here<pKi_H3>\n1.1\n\n\
                    > <IC50_(nM)>(JNJ-1)\n>100\n\n>  <PURITY>\n> 95 % by HPLC\n\n> DT12\n55.0\n\n>  <TWICE>\n1\n\n>  <TWICE>\n10\n\n\
                    >  <SPACED>\n \n1\n\n>\t<TABBED>\n1\n\n> <LOWER>\n1\n> <NOBLANK>\n1\n\n>  <EMPTY>\n\n>  <>\nlost\n\n";
        let wanted = [
            ("123 > 456", "1.5"),
            ("MELTING.POINT", "171"),
            ("pKi_H3", "1.1"),
            ("IC50_(nM)", ">100"),
            ("PURITY", "> 95 % by HPLC"),
            ("TWICE", "10"),
            ("SPACED", " \n1"),
            ("TABBED", "1"),
            ("LOWER", "1\n> <NOBLANK>\n1"),
            ("EMPTY", ""),
        ];
        assert_eq!(of(text), pairs(&wanted));
    }

    #[test]
    fn a_line_of_blanks_ends_a_value_where_nothing_of_it_follows() {
        assert_eq!(
            of("> <A>\n1.0\n \n> <B>\nNatural Product\n "),
            pairs(&[("A", "1.0"), ("B", "Natural Product")])
        );
        assert_eq!(of("> <A>\none\n \ntwo\n\t\n\n> <B>\n\n"), pairs(&[("A", "one\n \ntwo"), ("B", "")]));
    }
}

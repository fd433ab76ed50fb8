//! Branching trees against the tests beside them: each leaf names exactly one test, each test has
//! one leaf. `tests/unit/README.md` has the grammar.

use anyhow::{Context as _, Result, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const TREE: &str = ".tree";
const TESTS: &str = ".t.sol";

/// One line of a tree.
struct Node<'a> {
    depth: usize,
    text: &'a str,
}

/// Compares every `tests/unit/*.tree` with the `.t.sol` beside it. The error lists all that
/// differs.
pub(crate) fn check(root: &Path) -> Result<()> {
    let folder = root.join("tests/unit");
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(TREE) || name.ends_with(TESTS) {
            let text =
                fs::read_to_string(entry.path()).with_context(|| entry.path().display().to_string())?;
            files.insert(name, text);
        }
    }
    let faults = compare(&files);
    ensure!(faults.is_empty(), "tests/unit: trees and tests differ:\n{}", faults.join("\n"));
    Ok(())
}

/// What differs between the trees and the tests of one folder, by file name.
fn compare(files: &BTreeMap<String, String>) -> Vec<String> {
    let subjects: BTreeSet<&str> = files
        .keys()
        .filter_map(|name| name.strip_suffix(TREE).or_else(|| name.strip_suffix(TESTS)))
        .collect();
    let mut faults = Vec::new();
    for subject in subjects {
        let (tree, tests) = (format!("{subject}{TREE}"), format!("{subject}{TESTS}"));
        match (files.get(&tree), files.get(&tests)) {
            (Some(drawing), Some(source)) => match leaves(drawing) {
                Ok(leaves) => faults.extend(unmatched(&tree, &leaves, &tests, &test_names(source))),
                Err(fault) => faults.push(format!("{tree}: {fault}")),
            },
            (None, _) => faults.push(format!("{tests}: no {tree} beside it")),
            (_, None) => faults.push(format!("{tree}: no {tests} beside it")),
        }
    }
    faults
}

/// Leaves without a test, tests without a leaf, and names that two of a kind share.
fn unmatched(tree: &str, leaves: &[&str], tests: &str, names: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut open = BTreeMap::new();
    for name in names {
        if let Some(other) = open.insert(letters(test_subject(name)), *name) {
            faults.push(format!("{tests}: {other} and {name} read the same"));
        }
    }
    let mut seen = BTreeSet::new();
    for leaf in leaves {
        let key = letters(leaf);
        let known = open.remove(&key).is_some();
        if !seen.insert(key) {
            faults.push(format!("{tree}: two leaves \"{leaf}\""));
        } else if !known {
            faults.push(format!("{tree}: no test for \"{leaf}\""));
        }
    }
    faults.extend(open.values().map(|name| format!("{tests}: no leaf for {name}")));
    faults
}

/// Names of the test functions, in their order.
fn test_names(source: &str) -> Vec<&str> {
    let declared = source.lines().filter_map(|line| line.trim_start().strip_prefix("function "));
    let names = declared.filter_map(|rest| rest.split_once('(')).map(|(name, _)| name);
    names.filter(|name| name.starts_with("test")).collect()
}

/// A test's name without its `test` or `testFuzz`.
fn test_subject(name: &str) -> &str {
    let name = name.strip_prefix("test").unwrap_or(name);
    name.strip_prefix("Fuzz").unwrap_or(name)
}

/// The letters and digits, which a sentence and a name have in common.
fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The leaves of a tree, if it is drawn as the grammar says.
fn leaves(drawing: &str) -> Result<Vec<&str>> {
    let nodes = drawing.lines().map(node).collect::<Vec<_>>();
    for (index, (line, node)) in drawing.lines().zip(&nodes).enumerate() {
        let (so_far, rest) = nodes.split_at(index + 1);
        let expected = redrawn(so_far, rest);
        ensure!(
            line == expected && !node.text.is_empty(),
            "line {}: expected \"{expected}\", found \"{line}\"",
            index + 1
        );
    }
    let next = nodes.iter().skip(1).map(|node| node.depth).chain([0]);
    let ends = nodes.iter().zip(next).filter(|(node, next)| *next <= node.depth && node.depth > 0);
    Ok(ends.map(|(node, _)| node.text).collect())
}

/// A line without its drawing. Each level takes four columns.
fn node(line: &str) -> Node<'_> {
    let text = line.trim_start_matches([' ', '│', '├', '└', '─']);
    let drawing = line.chars().count() - text.chars().count();
    Node { depth: drawing.div_ceil(4), text: text.trim_end() }
}

/// The last line of `so_far` as it must be drawn; `rest` are the lines below it.
fn redrawn(so_far: &[Node<'_>], rest: &[Node<'_>]) -> String {
    let (depth, text) = so_far.last().map_or((0, ""), |node| (node.depth, node.text));
    // only the first line is a root, and no line skips a level
    let above = so_far.iter().rev().nth(1).map(|node| node.depth);
    let depth = above.map_or(0, |above| depth.clamp(1, above + 1));
    let mut line = String::new();
    for level in 1..=depth {
        let follows = rest.iter().map(|node| node.depth).find(|below| *below <= level) == Some(level);
        line += match (level == depth, follows) {
            (true, true) => "├── ",
            (true, false) => "└── ",
            (false, true) => "│   ",
            (false, false) => "    ",
        };
    }
    line + text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
cancel
├── the caller
│   ├── by an operator: the owner gets the money
│   └── by anyone else: reverts
└── the NFT's owner isn't called
";
    const TESTS: &str = "
    function _cancel() private {}
    // function test_Commented() public {}
    function test_ByAnOperator_TheOwnerGetsTheMoney() public {}
    function test_ByAnyoneElse_Reverts() public {}
    function testFuzz_TheNftsOwner_IsntCalled(uint256 id) public {}
";

    fn faults(tree: &str, tests: &str) -> Vec<String> {
        compare(&BTreeMap::from([("A.tree".into(), tree.into()), ("A.t.sol".into(), tests.into())]))
    }

    #[test]
    fn a_tree_that_names_every_test_once_is_fine() {
        assert_eq!(faults(TREE, TESTS), Vec::<String>::new());
    }

    #[test]
    fn a_leaf_without_a_test_and_a_test_without_a_leaf_are_listed() {
        let tree = TREE.replace("by anyone else: reverts", "by the user: reverts");
        let expected = [
            "A.tree: no test for \"by the user: reverts\"",
            "A.t.sol: no leaf for test_ByAnyoneElse_Reverts",
        ];
        assert_eq!(faults(&tree, TESTS), expected);
    }

    #[test]
    fn a_branch_names_no_test() {
        let tests = format!("{TESTS}    function test_TheCaller() public {{}}\n");
        assert_eq!(faults(TREE, &tests), ["A.t.sol: no leaf for test_TheCaller"]);
    }

    #[test]
    fn two_leaves_or_two_tests_of_one_name_are_listed() {
        let tree = TREE.replace("anyone else: reverts", "an operator, the owner gets the money");
        let expected = [
            "A.tree: two leaves \"by an operator, the owner gets the money\"",
            "A.t.sol: no leaf for test_ByAnyoneElse_Reverts",
        ];
        assert_eq!(faults(&tree, TESTS), expected);
        let tests = format!("{TESTS}    function test_ByAnyone_ElseReverts() public {{}}\n");
        assert_eq!(
            faults(TREE, &tests),
            ["A.t.sol: test_ByAnyoneElse_Reverts and test_ByAnyone_ElseReverts read the same"]
        );
    }

    #[test]
    fn a_file_without_its_counterpart_is_listed() {
        let files = BTreeMap::from([("A.tree".into(), TREE.into()), ("B.t.sol".into(), TESTS.into())]);
        assert_eq!(compare(&files), ["A.tree: no A.t.sol beside it", "B.t.sol: no B.tree beside it"]);
    }

    #[test]
    fn a_tree_is_drawn_in_one_way() {
        let expected = "A.tree: line 4: expected \"│   └── by anyone else: reverts\"";
        for (from, to) in [
            ("│   └── by", "│   ├── by"),
            ("│   └── by", "    └── by"),
            ("│   └── by", "│  └── by"),
            ("else: reverts", "else: reverts "),
        ] {
            let found = faults(&TREE.replace(from, to), TESTS);
            assert!(
                found.iter().all(|fault| fault.starts_with(expected)) && found.len() == 1,
                "{to}: {found:?}"
            );
        }
        // a second root
        let found = faults(&format!("{TREE}settle\n"), TESTS);
        assert_eq!(found, ["A.tree: line 6: expected \"└── settle\", found \"settle\""]);
        // a level is left out
        let found = faults(&TREE.replace("│   └── by", "│   │   └── by"), TESTS);
        assert!(found[0].starts_with("A.tree: line 3: expected \"│   └── by an operator"), "{found:?}");
    }

    #[test]
    fn the_trees_of_the_contracts_match_their_tests() {
        check(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))).unwrap();
    }
}

//! Operators: who may see all keys and lift blocks. They are told from virtual keys by their digests.

use hashbrown::HashMap;

use super::{Findings, keys::digest};
use crate::document::Document;
use crate::world::{KeyId, Operator, names};

pub(super) struct Operators {
    pub(super) operators: Vec<Operator>,
    pub(super) digests: HashMap<[u8; 32], u32>,
}

pub(super) fn compile(document: &Document, keys: &HashMap<[u8; 32], KeyId>, findings: &mut Findings) -> Operators {
    let mut compiled = Operators {
        operators: Vec::new(),
        digests: HashMap::new(),
    };
    let mut operator_names: HashMap<&str, usize> = HashMap::new();
    for (index, written) in document.operators.iter().enumerate() {
        let path = format!("operators[{index}]");
        let name = written.name.as_str();
        findings.objection(format!("{path}.name"), names::objection(name));
        if let Some(first) = operator_names.insert(name, index) {
            let problem = format!("`{name}` is also the name of operators[{first}]");
            findings.problem(format!("{path}.name"), problem, "choose another name");
        }
        let path = format!("{path}.sha256");
        match digest(&written.sha256) {
            Ok(digest) => {
                let key = keys.get(&digest).map(|key| format!("keys[{}]", key.0));
                let operator = compiled.digests.insert(digest, index as u32);
                let same = key.or(operator.map(|first| format!("operators[{first}]")));
                if let Some(same) = same {
                    let remedy = "mint another with `tollgate key new`: an operator's key is nothing else";
                    findings.problem(path, format!("{same} is the same key"), remedy);
                }
            }
            Err((problem, remedy)) => findings.problem(path, problem, remedy),
        }
        compiled.operators.push(Operator { name: name.into() });
    }
    compiled
}

//! Inputs with which an explorer verifies the contracts, so that wallets can decode their errors.
//!
//! Each is the compiler's own input, in the form "Standard JSON", with only the sources that the
//! contract needs.

use crate::Deployed;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Writes the input of each contract of a deployment into the folder named like its file. `out` has
/// the artifacts of the profile that was deployed. Returns what was written.
///
/// # Errors
/// If the deployment, an artifact or a source can't be read.
pub fn write_inputs(root: &Path, deployment: &Path, out: &Path) -> Result<Vec<PathBuf>> {
    let folder = deployment.with_extension("");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut written = Vec::new();
    for name in Deployed::read(deployment)?.contracts.keys() {
        let artifact = out.join(format!("{name}.sol/{name}.json"));
        let text = fs::read_to_string(&artifact).with_context(|| artifact.display().to_string())?;
        let artifact: Value = serde_json::from_str(&text).with_context(|| artifact.display().to_string())?;
        let input = input(root, &artifact).with_context(|| name.clone())?;
        let path = folder.join(format!("{name}.json"));
        fs::write(&path, serde_json::to_string_pretty(&input)? + "\n")
            .with_context(|| path.display().to_string())?;
        written.push(path);
    }
    Ok(written)
}

/// The compiler's input for the contract of an artifact.
fn input(root: &Path, artifact: &Value) -> Result<Value> {
    let metadata = artifact.get("metadata").context("the artifact has no metadata")?;
    let named = metadata.get("sources").and_then(Value::as_object).context("no sources in the metadata")?;
    let mut sources = serde_json::Map::new();
    for path in named.keys() {
        let content = fs::read_to_string(root.join(path)).with_context(|| path.clone())?;
        sources.insert(path.clone(), json!({ "content": content }));
    }
    let mut settings = metadata.get("settings").cloned().context("no settings in the metadata")?;
    let fields = settings.as_object_mut().context("settings")?;
    // the metadata's own field: the compiler does not take it
    fields.remove("compilationTarget");
    fields.insert(
        "outputSelection".into(),
        json!({ "*": { "*": ["abi", "evm.bytecode", "evm.deployedBytecode", "metadata"] } }),
    );
    Ok(json!({ "language": "Solidity", "sources": sources, "settings": settings }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_has_the_sources_and_settings_of_its_contract() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("src/A.sol", "contract A {}");
        write("src/Other.sol", "contract Other {}");
        write("deployments/7.toml", &format!("[contracts.A]\naddress = \"0x{}\"\n", "11".repeat(20)));
        let settings = json!({"compilationTarget": {"src/A.sol": "A"}, "viaIR": true});
        let metadata = json!({"sources": {"src/A.sol": {"keccak256": "0x"}}, "settings": settings});
        write("out/A.sol/A.json", &json!({ "metadata": metadata }).to_string());
        let deployment = root.path().join("deployments/7.toml");
        let written = write_inputs(root.path(), &deployment, &root.path().join("out")).unwrap();
        assert_eq!(written, [root.path().join("deployments/7/A.json")]);
        let input: Value = serde_json::from_str(&fs::read_to_string(&written[0]).unwrap()).unwrap();
        assert_eq!(input["sources"], json!({"src/A.sol": {"content": "contract A {}"}}));
        assert_eq!((&input["language"], &input["settings"]["viaIR"]), (&json!("Solidity"), &json!(true)));
        assert!(input["settings"].get("compilationTarget").is_none());
        // a contract that was never compiled
        write("deployments/7.toml", &format!("[contracts.B]\naddress = \"0x{}\"\n", "11".repeat(20)));
        let missing = write_inputs(root.path(), &deployment, &root.path().join("out")).unwrap_err();
        assert!(missing.to_string().contains("B.json"), "{missing}");
    }
}

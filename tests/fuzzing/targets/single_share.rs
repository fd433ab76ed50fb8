//! A share as JSON: everything readable is written and read back unchanged, and its check
//! terminates.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use hashlease_evidence::SingleShare;
use hashlease_fuzz::{AnySigned, CACHE, share, terms};
use hashlease_primitives::{Algorithm, JobKind};
use libfuzzer_sys::fuzz_target;

#[derive(Debug)]
enum Input {
    Text(String),
    Share(Box<SingleShare>),
    /// JSON with a part of its text replaced.
    Spoiled(Box<SingleShare>, usize, String),
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        if u.ratio(1, 8)? {
            return Ok(Self::Text(u.arbitrary()?));
        }
        let AnySigned(job) = u.arbitrary()?;
        let algorithm = match job.job.kind() {
            JobKind::Header => *u.choose(&[Algorithm::Sha256d, Algorithm::Scrypt])?,
            JobKind::Ethash => *u.choose(&[Algorithm::Ethash, Algorithm::Etchash])?,
        };
        let share = share(u, &job.job)?;
        let single =
            Box::new(SingleShare { terms: terms(algorithm), epoch: u.int_in_range(0..=1)?, job, share });
        Ok(if u.arbitrary()? {
            Self::Share(single)
        } else {
            Self::Spoiled(single, u.arbitrary()?, u.arbitrary()?)
        })
    }
}

fn read(text: &str) {
    let Ok(single) = serde_json::from_str::<SingleShare>(text) else { return };
    let again = serde_json::to_string(&single).unwrap();
    assert_eq!(serde_json::from_str::<SingleShare>(&again).unwrap(), single);
    let (opened, verdict) = single.check(&|_| CACHE.clone());
    assert!(opened.is_some() || verdict.is_err());
    let _ = single.contradiction();
}

fuzz_target!(|input: Input| match input {
    Input::Text(text) => read(&text),
    Input::Share(single) => read(&serde_json::to_string(&single).unwrap()),
    Input::Spoiled(single, at, patch) => {
        let text = serde_json::to_string(&single).unwrap();
        let at = at % text.len();
        let end = (at + patch.len()).min(text.len());
        if let (Some(begin), Some(end)) = (text.get(..at), text.get(end..)) {
            read(&[begin, &patch, end].concat());
        }
    }
});

//! The transactions of an account that are signed and not mined yet.
//!
//! A copy is on disk before it is sent, so a process that starts again takes up the nonce and the
//! copies of the one before it.

use crate::{ChainError, state::StateFile};
use alloy::{
    consensus::{TxEip1559, TxEnvelope, transaction::SignerRecoverable as _},
    eips::{Decodable2718 as _, Encodable2718 as _},
};
use alloy_primitives::{Address, B256, Bytes, TxKind};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// All copies of one transaction.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    /// The newest copy.
    pub(super) transaction: TxEip1559,
    /// The newest copy, signed.
    pub(super) raw: Bytes,
    /// Hashes of all copies, the newest last.
    pub(super) copies: Vec<B256>,
    /// Whether a call waits for it.
    followed: bool,
}

/// A flight as it is on disk.
#[derive(Serialize, Deserialize)]
struct Stored {
    raw: Bytes,
    copies: Vec<B256>,
}

#[derive(Debug, Default)]
struct Table {
    file: Option<StateFile>,
    by_nonce: BTreeMap<u64, Flight>,
}

impl Table {
    fn store(&self) -> Result<(), ChainError> {
        let Some(file) = &self.file else { return Ok(()) };
        let stored = |flight: &Flight| Stored { raw: flight.raw.clone(), copies: flight.copies.clone() };
        file.write(&self.by_nonce.values().map(stored).collect::<Vec<_>>())
    }
}

/// The flights of one account.
#[derive(Clone, Debug, Default)]
pub(super) struct Flights(Arc<Mutex<Table>>);

impl Flights {
    /// The flights that a file holds, and keeps from now on.
    pub(super) fn open(file: StateFile, account: Address) -> Result<Self, ChainError> {
        let mut by_nonce = BTreeMap::new();
        // without a file nothing is in flight yet
        for stored in file.read::<Vec<Stored>>()?.unwrap_or_default() {
            let flight = taken_up(stored, account)?;
            by_nonce.insert(flight.transaction.nonce, flight);
        }
        Ok(Self(Arc::new(Mutex::new(Table { file: Some(file), by_nonce }))))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // every change is a single step, so a panic leaves none half done
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a signed copy to the flight of its nonce, on disk first. Returns the signed copy.
    pub(super) fn add(&self, envelope: &TxEnvelope, transaction: TxEip1559) -> Result<Bytes, ChainError> {
        let mut table = self.table();
        let nonce = transaction.nonce;
        let raw = Bytes::from(envelope.encoded_2718());
        let before = table.by_nonce.remove(&nonce);
        let followed = before.as_ref().is_some_and(|before| before.followed);
        let mut copies = before.as_ref().map(|before| before.copies.clone()).unwrap_or_default();
        copies.push(*envelope.tx_hash());
        table.by_nonce.insert(nonce, Flight { transaction, raw: raw.clone(), copies, followed });
        if let Err(error) = table.store() {
            // a copy that isn't kept isn't sent
            match before {
                Some(before) => table.by_nonce.insert(nonce, before),
                None => table.by_nonce.remove(&nonce),
            };
            return Err(error);
        }
        Ok(raw)
    }

    /// Forgets a flight: it is mined, or no copy was taken. On an error the file names it until the
    /// next change, and a later start finds its nonce used.
    pub(super) fn remove(&self, nonce: u64) -> Result<(), ChainError> {
        let mut table = self.table();
        if table.by_nonce.remove(&nonce).is_some() { table.store() } else { Ok(()) }
    }

    pub(super) fn get(&self, nonce: u64) -> Option<Flight> {
        self.table().by_nonce.get(&nonce).cloned()
    }

    /// Follows the flight of this nonce.
    pub(super) fn follow(&self, nonce: u64) -> Followed {
        if let Some(flight) = self.table().by_nonce.get_mut(&nonce) {
            flight.followed = true;
        }
        Followed { flights: self.clone(), nonce }
    }

    /// Follows the flight of this very call if there is one that nobody follows.
    pub(super) fn claim(&self, to: Address, input: &Bytes) -> Option<Followed> {
        let nonce = {
            let table = self.table();
            let same = |flight: &&Flight| {
                let transaction = &flight.transaction;
                !flight.followed && transaction.to == TxKind::Call(to) && transaction.input == *input
            };
            table.by_nonce.values().find(same)?.transaction.nonce
        };
        Some(self.follow(nonce))
    }

    /// The nonce above all flights.
    pub(super) fn next_nonce(&self) -> Option<u64> {
        self.table().by_nonce.last_key_value().and_then(|(nonce, _)| nonce.checked_add(1))
    }

    /// Flights that nobody follows.
    pub(super) fn orphans(&self) -> Vec<u64> {
        let table = self.table();
        table.by_nonce.iter().filter(|(_, flight)| !flight.followed).map(|(nonce, _)| *nonce).collect()
    }
}

fn taken_up(stored: Stored, account: Address) -> Result<Flight, ChainError> {
    let unexpected = |actual: String| ChainError::Unexpected {
        what: "kept transaction",
        expected: "a signed one of this account",
        actual,
    };
    let envelope =
        TxEnvelope::decode_2718(&mut stored.raw.as_ref()).map_err(|error| unexpected(error.to_string()))?;
    let signer = envelope.recover_signer().map_err(|error| unexpected(error.to_string()))?;
    if signer != account {
        return Err(unexpected(format!("one of {signer}")));
    }
    let TxEnvelope::Eip1559(signed) = envelope else { return Err(unexpected("another type".into())) };
    let (transaction, _, _) = signed.into_parts();
    Ok(Flight { transaction, raw: stored.raw, copies: stored.copies, followed: false })
}

/// The right to follow a flight, until this is dropped.
#[derive(Debug)]
pub(super) struct Followed {
    flights: Flights,
    pub(super) nonce: u64,
}

impl Drop for Followed {
    fn drop(&mut self) {
        if let Some(flight) = self.flights.table().by_nonce.get_mut(&self.nonce) {
            flight.followed = false;
        }
    }
}

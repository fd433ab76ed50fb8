//! A network that resolves names itself, and connects to public addresses only, if told so.
//!
//! A URL of a stranger may name any host. Without this, it could make a machine ask its own
//! services, those of its neighbours, or its cloud's for it. The name is resolved once, and the
//! connection goes to the address that was checked.

use crate::{Listener, Network, Pending, SharedNetwork, Stream};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::time::timeout;

/// How long resolving a name may take.
const RESOLVE: Duration = Duration::from_secs(5);

/// Why a guarded network has no connection, inside an [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// The host has no public address.
    #[error("{0} is not a public address")]
    Private(IpAddr),
    /// The name is not resolved.
    #[error("the host's name can't be resolved: {0}")]
    Resolve(io::ErrorKind),
}

impl GuardError {
    /// The guard's error in a network's error.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// A network that connects to addresses which it resolved itself.
#[derive(Debug)]
pub struct Guarded {
    network: SharedNetwork,
    private: bool,
}

impl Guarded {
    /// Connects to public addresses only.
    #[must_use]
    pub fn public(network: SharedNetwork) -> SharedNetwork {
        Arc::new(Self { network, private: false })
    }

    /// Connects to every address.
    #[must_use]
    pub fn private(network: SharedNetwork) -> SharedNetwork {
        Arc::new(Self { network, private: true })
    }

    async fn resolve(&self, address: &str) -> io::Result<Vec<SocketAddr>> {
        let failed = |kind| io::Error::other(GuardError::Resolve(kind));
        let found = timeout(RESOLVE, self.network.resolve(address)).await;
        let found = found.map_err(|_| failed(io::ErrorKind::TimedOut))?;
        let found = found.map_err(|error| failed(error.kind()))?;
        if found.is_empty() {
            return Err(failed(io::ErrorKind::NotFound));
        }
        Ok(found)
    }
}

impl Network for Guarded {
    fn listen(&self, address: SocketAddr) -> Pending<'_, Box<dyn Listener>> {
        self.network.listen(address)
    }

    fn resolve<'a>(&'a self, address: &'a str) -> Pending<'a, Vec<SocketAddr>> {
        Box::pin(self.resolve(address))
    }

    fn connect<'a>(&'a self, address: &'a str) -> Pending<'a, Stream> {
        Box::pin(async move {
            let mut failed = None;
            for found in self.resolve(address).await? {
                if !self.private && !is_public(found.ip()) {
                    failed = failed.or(Some(io::Error::other(GuardError::Private(found.ip()))));
                    continue;
                }
                match self.network.connect(&found.to_string()).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => failed = Some(error),
                }
            }
            Err(failed.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
        })
    }
}

/// Whether strangers reach the same host by this address from everywhere. Loopback, private, shared,
/// link-local, documentation, multicast and reserved addresses are not such.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || address.is_broadcast()
        || a == 0
        // shared by the customers of a carrier
        || (a == 100 && b & 0xc0 == 64)
        // assignments of protocols, and benchmarks
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && b & 0xfe == 18)
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    if let Some(embedded) = embedded_v4(address) {
        return is_public_v4(embedded);
    }
    // only this part of the space is handed out; within it, one for documentation
    a & 0xe000 == 0x2000 && !(a == 0x2001 && b == 0x0db8) && !(a == 0x3fff && b < 0x1000)
}

/// The address of version 4 that is meant: mapped, translated (64:ff9b::/96) or tunnelled (2002::/16).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let of = |high: u16, low: u16| {
        let ([p, q], [r, s]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(p, q, r, s)
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => Some(of(g, h)),
        (0x2002, ..) => Some(of(b, c)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_mean_another_host_elsewhere_are_not_public() {
        let public = |text: &str| is_public(text.parse().unwrap());
        for private in [
            "127.0.0.1",
            "127.255.1.2",
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
            "fe80::1",
            "fc00::1",
            "fd12:3456::1",
            "ff02::1",
            "2001:db8::1",
            "3fff:fff::1",
        ] {
            assert!(!public(private), "{private}");
        }
        for address in [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "192.0.1.1",
            "223.255.255.254",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2606:4700::1111",
            "2002:101:101::1",
        ] {
            assert!(public(address), "{address}");
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Offer} from "contracts/src/interfaces/LeaseTypes.sol";

/// @notice An offer and what `rent` needs to fill it.
/// @param signature The provider's, of the offer or of an `OfferRoot`.
/// @param proof Empty when the offer itself was signed, else the way to the root.
struct Posting {
    Offer offer;
    bytes signature;
    bytes32[] proof;
}

/// @title A notice board for offers and gateways
/// @notice Whatever is posted becomes a log and nothing else, so that a page finds it with no server. No state, no
/// rights, and nothing is checked but lengths. Anyone may post an offer for somebody else, and a false one: readers
/// check the signature, and that the offer can be filled, before they show it.
interface IDirectory {
    /// @notice An offer was posted. `offerHash` is its EIP-712 struct hash, by which the escrow counts fills and tells
    /// that it was cancelled.
    event OfferPosted(
        address indexed provider,
        uint8 indexed algorithm,
        bytes32 indexed offerHash,
        Offer offer,
        bytes signature,
        bytes32[] proof
    );
    /// @notice A job signer says where its gateway is and under which X25519 key boxes are sealed to it. A later one
    /// replaces an earlier one.
    event GatewayAnnounced(address indexed jobSigner, string url, bytes32 boxKey);
    /// @notice The job signer's gateway takes no new leases.
    event GatewayWithdrawn(address indexed jobSigner);

    error SignatureTooLong(uint256 maximum, uint256 actual);
    error ProofTooLong(uint256 maximum, uint256 actual);
    error UrlTooLong(uint256 maximum, uint256 actual);
    error UrlIsEmpty();
    error BoxKeyIsZero();

    /// @notice Posts an offer, the caller's or somebody else's. The signature has at most 1,024 bytes, the proof at
    /// most 24 words.
    function postOffer(Offer calldata offer, bytes calldata signature, bytes32[] calldata proof) external;
    /// @notice Posts several offers, all of them or none.
    function postOffers(Posting[] calldata postings) external;
    /// @notice Announces the gateway of the caller, who is its job signer. The URL has 1 to 256 bytes; whether they are
    /// a URL is for readers to check.
    function announceGateway(string calldata url, bytes32 boxKey) external;
    /// @notice Takes the caller's announcement back.
    function withdrawGateway() external;
}

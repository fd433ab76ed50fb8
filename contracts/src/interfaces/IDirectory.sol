// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Offer} from "contracts/src/interfaces/LeaseTypes.sol";

/// @notice An offer and what `rent` needs to fill it.
/// @param signature The provider's signature of the offer or of an `OfferRoot`.
/// @param proof Empty if the offer itself was signed, else the path to the root.
struct Posting {
    Offer offer;
    bytes signature;
    bytes32[] proof;
}

/// @title A notice board for offers and gateways
/// @notice Whatever is posted becomes a log and nothing else, so a page finds it without a server.
/// No state, no rights, and checks of lengths only. Anyone may post an offer of somebody else, or a
/// false one: readers check the signature, and that the offer can be filled, before they show it.
interface IDirectory {
    /// @notice An offer was posted. `offerHash` is its EIP-712 struct hash, which the escrow uses
    /// for fills and cancellations.
    event OfferPosted(
        address indexed provider,
        uint8 indexed algorithm,
        bytes32 indexed offerHash,
        Offer offer,
        bytes signature,
        bytes32[] proof
    );
    /// @notice A job signer announced its gateway's URL and the X25519 key that boxes for it are
    /// sealed to. A later announcement replaces an earlier one.
    event GatewayAnnounced(address indexed jobSigner, string url, bytes32 boxKey);
    /// @notice The job signer's gateway takes no new leases.
    event GatewayWithdrawn(address indexed jobSigner);

    error SignatureTooLong(uint256 maximum, uint256 actual);
    error ProofTooLong(uint256 maximum, uint256 actual);
    error UrlTooLong(uint256 maximum, uint256 actual);
    error UrlIsEmpty();
    error BoxKeyIsZero();

    /// @notice Posts an offer of the caller or of somebody else. The signature has at most 1,024
    /// bytes, the proof at most 24 words.
    function postOffer(Offer calldata offer, bytes calldata signature, bytes32[] calldata proof) external;
    /// @notice Posts several offers, all of them or none.
    function postOffers(Posting[] calldata postings) external;
    /// @notice Announces the gateway of the caller, who is its job signer. `url` has 1 to 256
    /// bytes; readers check whether it is a URL.
    function announceGateway(string calldata url, bytes32 boxKey) external;
    /// @notice Withdraws the caller's announcement.
    function withdrawGateway() external;
}

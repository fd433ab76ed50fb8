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

/// @title A notice board for offers, gateways and providers
/// @notice Each posting becomes a log, so a page finds it without a server. Nobody has rights
/// here, and only lengths and the schemes of URLs are checked. Anyone may post an offer of somebody
/// else, or a false one: readers check the signature, and that the offer can be filled, before they
/// show it. Each account announces for itself alone; of each kind of announcement the latest
/// counts, and a withdrawal ends it. Node keys are kept too, because roots and commits are judged
/// by the key of an earlier time.
///
/// URLs begin with their scheme in lower case and have at most 256 bytes. Links are
/// `stratum+tcp://` or `stratum+ssl://`. APIs are `https://`; `http://` is for chain 31337 only,
/// the id of local chains.
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
    /// @notice A job signer announced its gateway: where nodes connect, where its API is, and the
    /// X25519 key to which boxes for it are sealed.
    event GatewayAnnounced(address indexed jobSigner, string link, string api, bytes32 boxKey);
    /// @notice A job signer withdrew its gateway, which takes no new leases.
    event GatewayWithdrawn(address indexed jobSigner);
    /// @notice A provider announced where its API is.
    event ProviderAnnounced(address indexed provider, string api);
    /// @notice A provider withdrew its API.
    event ProviderWithdrawn(address indexed provider);
    /// @notice A provider announced the key of its node, which signs roots and sends for it.
    event NodeKeyAnnounced(address indexed provider, address indexed nodeKey);
    /// @notice A provider withdrew its node key.
    event NodeKeyWithdrawn(address indexed provider);

    error SignatureTooLong(uint256 maximum, uint256 actual);
    error ProofTooLong(uint256 maximum, uint256 actual);
    error UrlTooLong(uint256 maximum, uint256 actual);
    /// @notice The URL has another scheme, or nothing after it.
    error NotALink(string url);
    /// @notice The URL has another scheme, or nothing after it.
    error NotAnApi(string url);
    error BoxKeyIsZero();
    error NodeKeyIsZero();

    /// @notice Posts an offer of the caller or of somebody else. The signature has at most 1,024
    /// bytes, the proof at most 24 words.
    function postOffer(Offer calldata offer, bytes calldata signature, bytes32[] calldata proof) external;
    /// @notice Posts several offers, all of them or none.
    function postOffers(Posting[] calldata postings) external;

    /// @notice Announces the gateway of the caller, who is its job signer.
    /// @param link Where nodes connect.
    /// @param api Where the gateway's API is.
    /// @param boxKey X25519 key to which boxes for it are sealed.
    function announceGateway(string calldata link, string calldata api, bytes32 boxKey) external;
    /// @notice Withdraws the caller's gateway.
    function withdrawGateway() external;

    /// @notice Announces the API of the caller, who is the provider.
    function announceProvider(string calldata api) external;
    /// @notice Withdraws the caller's API.
    function withdrawProvider() external;

    /// @notice Announces the key that signs roots and sends for the caller, who is the provider,
    /// from this second on. It moves no money, so the provider's own key can stay cold.
    function announceNodeKey(address nodeKey) external;
    /// @notice Withdraws the caller's node key from this second on.
    function withdrawNodeKey() external;
    /// @notice The provider's node key at `time`, Unix seconds; zero if there was none. While
    /// blocks of that second may still come, the answer may change.
    function nodeKeyAt(address provider, uint40 time) external view returns (address);
}

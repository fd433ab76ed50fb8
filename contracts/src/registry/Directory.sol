// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IDirectory, Posting} from "contracts/src/interfaces/IDirectory.sol";
import {Offer} from "contracts/src/interfaces/LeaseTypes.sol";
import {Fits} from "contracts/src/libraries/Fits.sol";
import {OfferLib} from "contracts/src/libraries/OfferLib.sol";
import {LibString} from "solady/utils/LibString.sol";

/// @title A notice board for offers, gateways and providers
/// @notice One directory serves every escrow of a chain; an offer's signature says which escrow it
/// is for.
contract Directory is IDirectory {
    using Checkpoints for Checkpoints.Trace160;

    uint256 private constant MAX_SIGNATURE = 1024;
    uint256 private constant MAX_PROOF = 24;
    uint256 private constant MAX_URL = 256;
    /// @dev Id of local chains, where nobody has a certificate.
    uint256 private constant LOCAL_CHAIN = 31_337;

    /// @dev Node keys by the second of their announcement.
    mapping(address provider => Checkpoints.Trace160) private _nodeKeys;

    // ---------------------------------------------------------------- offers

    /// @inheritdoc IDirectory
    function postOffer(Offer calldata offer, bytes calldata signature, bytes32[] calldata proof) external {
        _post(offer, signature, proof);
    }

    /// @inheritdoc IDirectory
    function postOffers(Posting[] calldata postings) external {
        for (uint256 i; i < postings.length; ++i) {
            _post(postings[i].offer, postings[i].signature, postings[i].proof);
        }
    }

    function _post(Offer calldata offer, bytes calldata signature, bytes32[] calldata proof) private {
        require(signature.length <= MAX_SIGNATURE, SignatureTooLong(MAX_SIGNATURE, signature.length));
        require(proof.length <= MAX_PROOF, ProofTooLong(MAX_PROOF, proof.length));
        emit OfferPosted(offer.provider, offer.algorithm, OfferLib.hash(offer), offer, signature, proof);
    }

    // ---------------------------------------------------------------- gateways and providers

    /// @inheritdoc IDirectory
    function announceGateway(string calldata link, string calldata api, bytes32 boxKey) external {
        _checkLink(link);
        _checkApi(api);
        require(boxKey != 0, BoxKeyIsZero());
        emit GatewayAnnounced(msg.sender, link, api, boxKey);
    }

    /// @inheritdoc IDirectory
    function withdrawGateway() external {
        emit GatewayWithdrawn(msg.sender);
    }

    /// @inheritdoc IDirectory
    function announceProvider(string calldata api) external {
        _checkApi(api);
        emit ProviderAnnounced(msg.sender, api);
    }

    /// @inheritdoc IDirectory
    function withdrawProvider() external {
        emit ProviderWithdrawn(msg.sender);
    }

    // ---------------------------------------------------------------- node keys

    /// @inheritdoc IDirectory
    function announceNodeKey(address nodeKey) external {
        require(nodeKey != address(0), NodeKeyIsZero());
        _setNodeKey(nodeKey);
        emit NodeKeyAnnounced(msg.sender, nodeKey);
    }

    /// @inheritdoc IDirectory
    function withdrawNodeKey() external {
        _setNodeKey(address(0));
        emit NodeKeyWithdrawn(msg.sender);
    }

    function _setNodeKey(address nodeKey) private {
        // the replaced key stays in the trace
        // slither-disable-next-line unused-return
        _nodeKeys[msg.sender].push(Fits.u96(block.timestamp), uint160(nodeKey));
    }

    /// @inheritdoc IDirectory
    function nodeKeyAt(address provider, uint40 time) external view returns (address) {
        return address(_nodeKeys[provider].upperLookup(time));
    }

    // ---------------------------------------------------------------- URLs

    function _checkLink(string calldata url) private pure {
        _checkLength(url);
        require(_isUnder("stratum+tcp://", url) || _isUnder("stratum+ssl://", url), NotALink(url));
    }

    function _checkApi(string calldata url) private view {
        _checkLength(url);
        bool isLocal = block.chainid == LOCAL_CHAIN && _isUnder("http://", url);
        require(isLocal || _isUnder("https://", url), NotAnApi(url));
    }

    function _checkLength(string calldata url) private pure {
        require(bytes(url).length <= MAX_URL, UrlTooLong(MAX_URL, bytes(url).length));
    }

    function _isUnder(string memory scheme, string calldata url) private pure returns (bool) {
        return bytes(url).length > bytes(scheme).length && LibString.startsWith(url, scheme);
    }
}

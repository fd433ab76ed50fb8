// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IDirectory, Posting} from "contracts/src/interfaces/IDirectory.sol";
import {Offer} from "contracts/src/interfaces/LeaseTypes.sol";
import {OfferLib} from "contracts/src/libraries/OfferLib.sol";

/// @title A notice board for offers and gateways
/// @notice One directory serves every escrow of a chain; an offer's signature says which escrow it
/// is for.
contract Directory is IDirectory {
    uint256 private constant MAX_SIGNATURE = 1024;
    uint256 private constant MAX_PROOF = 24;
    uint256 private constant MAX_URL = 256;

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

    // ---------------------------------------------------------------- gateways

    /// @inheritdoc IDirectory
    function announceGateway(string calldata url, bytes32 boxKey) external {
        uint256 length = bytes(url).length;
        require(length != 0, UrlIsEmpty());
        require(length <= MAX_URL, UrlTooLong(MAX_URL, length));
        require(boxKey != 0, BoxKeyIsZero());
        emit GatewayAnnounced(msg.sender, url, boxKey);
    }

    /// @inheritdoc IDirectory
    function withdrawGateway() external {
        emit GatewayWithdrawn(msg.sender);
    }
}

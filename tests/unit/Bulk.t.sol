// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer} from "contracts/src/interfaces/LeaseTypes.sol";
import {OfferTree} from "tests/support/OfferTree.sol";
import {Renting} from "tests/support/Renting.sol";
import {Wallet} from "tests/support/Wallets.sol";

/// @notice One signature for many offers.
contract BulkTest is Renting {
    function _offerAt(uint256 i) private view returns (Offer memory o) {
        o = _offer();
        o.salt = i;
    }

    function _leaves(uint256 count) private view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            leaves[i] = OfferTree.leaf(lens.offerHash(_offerAt(i)));
        }
    }

    function _signRoot(bytes32 root) private view returns (bytes memory) {
        return _signature(provider.key, _digest(root));
    }

    /// @dev EIP-712 by hand.
    function _digest(bytes32 root) private view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Hashlease"),
                keccak256("1"),
                block.chainid,
                address(escrow)
            )
        );
        bytes32 structHash = keccak256(abi.encode(keccak256("OfferRoot(bytes32 root)"), root));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    // ---------------------------------------------------------------- accepted

    function test_TheLens_ReturnsTheDigestToSign() public {
        assertEq(lens.offerRootDigest("root"), _digest("root"));
        vm.chainId(2);
        assertEq(lens.offerRootDigest("root"), _digest("root"));
    }

    function test_EveryOfferOfASignedTree_CanBeFilled() public {
        for (uint256 count = 2; count < 10; ++count) {
            uint256 snapshot = vm.snapshotState();
            bytes32[] memory leaves = _leaves(count);
            bytes memory signature = _signRoot(OfferTree.root(leaves));
            for (uint256 i; i < count; ++i) {
                _rentAs(renter, _offerAt(i), signature, OfferTree.proof(leaves, i), _request());
                assertEq(lens.filled(lens.offerHash(_offerAt(i))), RATE);
            }
            assertEq(escrow.leaseCount(), count);
            assertTrue(vm.revertToState(snapshot));
        }
    }

    function test_AnOfferSignedBothWays_IsOneOffer() public {
        bytes32[] memory leaves = _leaves(4);
        _rentAs(renter, _offerAt(2), _signRoot(OfferTree.root(leaves)), OfferTree.proof(leaves, 2), _request());
        _rentAs(renter, _offerAt(2), _sign(_offerAt(2)), none, _request());
        assertEq(lens.filled(lens.offerHash(_offerAt(2))), 2 * RATE);
    }

    function test_WhenAContractSignsTheRoot_ItsWordCounts() public {
        Wallet wallet = new Wallet();
        Offer[2] memory offers = [_offer(), _offer()];
        bytes32[] memory leaves = new bytes32[](2);
        for (uint256 i; i < 2; ++i) {
            offers[i].provider = address(wallet);
            (offers[i].bondBps, offers[i].cancelBps, offers[i].salt) = (0, 0, i);
            leaves[i] = OfferTree.leaf(lens.offerHash(offers[i]));
        }
        wallet.accept(_digest(OfferTree.root(leaves)), "yes");
        _rentAs(renter, offers[0], "yes", OfferTree.proof(leaves, 0), _request());
        _rentAs(renter, offers[1], "yes", OfferTree.proof(leaves, 1), _request());
        bytes32[] memory proof = OfferTree.proof(leaves, 1);
        _refused(offers[1], "no", proof, _request(), _invalid(address(wallet)));
        _refused(offers[1], "yes", none, _request(), _invalid(address(wallet)));
    }

    // ---------------------------------------------------------------- refused

    function test_WhenTheProofIsAnotherOffers_Reverts() public {
        bytes32[] memory leaves = _leaves(4);
        bytes memory signature = _signRoot(OfferTree.root(leaves));
        for (uint256 i; i < 4; ++i) {
            bytes32[] memory proof = OfferTree.proof(leaves, i ^ 3);
            _refused(_offerAt(i), signature, proof, _request(), _invalid(provider.addr));
        }
        bytes32[] memory first = OfferTree.proof(leaves, 0);
        _refused(_offerAt(4), signature, first, _request(), _invalid(provider.addr));
    }

    function test_WhenTheProofIsBent_Reverts() public {
        bytes32[] memory leaves = _leaves(4);
        bytes memory signature = _signRoot(OfferTree.root(leaves));
        bytes32[] memory proof = OfferTree.proof(leaves, 1);
        proof[1] = bytes32(uint256(proof[1]) ^ 1);
        _refused(_offerAt(1), signature, proof, _request(), _invalid(provider.addr));
        bytes32[] memory cut = new bytes32[](1);
        cut[0] = OfferTree.proof(leaves, 1)[0];
        _refused(_offerAt(1), signature, cut, _request(), _invalid(provider.addr));
        bytes32[] memory longer = new bytes32[](3);
        (longer[0], longer[1]) = (cut[0], OfferTree.proof(leaves, 1)[1]);
        _refused(_offerAt(1), signature, longer, _request(), _invalid(provider.addr));
    }

    function test_WhenAnyFieldOfAnOfferInATreeIsChanged_Reverts() public {
        bytes32[] memory leaves = _leaves(3);
        bytes memory signature = _signRoot(OfferTree.root(leaves));
        bytes32[] memory proof = OfferTree.proof(leaves, 0);
        Offer memory o = _offerAt(0);
        o.price -= 1;
        _refused(o, signature, proof, _request(), _invalid(provider.addr));
        o = _offerAt(0);
        o.token = stranger;
        _refused(o, signature, proof, _request(), _invalid(provider.addr));
    }

    /// @dev A leaf is the hash of a hash. An offer's hash itself could be the hash of two nodes, so
    /// it is no leaf.
    function test_WhenLeavesAreHashedOnceOnly_TheTreeIsRefused() public {
        bytes32[] memory hashes = new bytes32[](2);
        (hashes[0], hashes[1]) = (lens.offerHash(_offerAt(0)), lens.offerHash(_offerAt(1)));
        bytes memory signature = _signRoot(OfferTree.root(hashes));
        for (uint256 i; i < 2; ++i) {
            bytes32[] memory proof = OfferTree.proof(hashes, i);
            _refused(_offerAt(i), signature, proof, _request(), _invalid(provider.addr));
        }
    }

    /// @dev An inner node in place of a leaf: nobody may profit from an offer with this hash.
    function test_AnInnerNode_IsNoLeaf() public {
        bytes32[] memory leaves = _leaves(4);
        bytes32[] memory upper = new bytes32[](2);
        // the tree that would be signed if leaves were hashed once and the offer's hash were the
        // inner node
        (upper[0], upper[1]) = (lens.offerHash(_offerAt(0)), OfferTree.proof(leaves, 0)[1]);
        bytes memory signature = _signRoot(OfferTree.root(upper));
        bytes32[] memory proof = OfferTree.proof(upper, 0);
        _refused(_offerAt(0), signature, proof, _request(), _invalid(provider.addr));
    }

    function test_ARoot_IsNotAnOfferAndAnOfferIsNoRoot() public {
        bytes32[] memory leaves = _leaves(2);
        bytes memory signature = _signRoot(OfferTree.root(leaves));
        _refused(_offerAt(0), signature, none, _request(), _invalid(provider.addr));
        bytes32[] memory proof = OfferTree.proof(leaves, 0);
        _refused(_offerAt(0), _sign(_offerAt(0)), proof, _request(), _invalid(provider.addr));
        // a tree of one has no proof, so it is signed as an offer or not at all
        _refused(_offerAt(0), _signRoot(leaves[0]), none, _request(), _invalid(provider.addr));
    }

    function test_ARootOfAnotherChain_IsRefused() public {
        bytes32[] memory leaves = _leaves(2);
        bytes memory signature = _signRoot(OfferTree.root(leaves));
        bytes32[] memory proof = OfferTree.proof(leaves, 0);
        vm.chainId(2);
        _refused(_offerAt(0), signature, proof, _request(), _invalid(provider.addr));
    }

    // ---------------------------------------------------------------- cancelled offers

    function test_WhenOneOfferOfATreeIsCancelled_TheOthersStayValid() public {
        bytes32[] memory leaves = _leaves(3);
        bytes memory signature = _signRoot(OfferTree.root(leaves));
        vm.prank(provider.addr);
        escrow.cancelOffer(_offerAt(1));
        bytes memory error = abi.encodeWithSelector(ILeaseEscrow.OfferIsCancelled.selector, lens.offerHash(_offerAt(1)));
        _refused(_offerAt(1), signature, OfferTree.proof(leaves, 1), _request(), error);
        _rentAs(renter, _offerAt(0), signature, OfferTree.proof(leaves, 0), _request());
        _rentAs(renter, _offerAt(2), signature, OfferTree.proof(leaves, 2), _request());
    }

    function test_WhenTheCounterIsBumped_TheWholeTreeIsVoid() public {
        bytes32[] memory leaves = _leaves(2);
        bytes memory signature = _signRoot(OfferTree.root(leaves));
        vm.prank(provider.addr);
        escrow.bumpCounter();
        bytes memory error = _error(ILeaseEscrow.CounterMismatch.selector, 1, 0);
        for (uint256 i; i < 2; ++i) {
            _refused(_offerAt(i), signature, OfferTree.proof(leaves, i), _request(), error);
        }
    }
}

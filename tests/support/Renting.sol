// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Fixture} from "tests/support/Fixture.sol";

/// @title Shared by the tests of renting
/// @notice A refused rent must change nothing.
abstract contract Renting is Fixture {
    bytes32[] internal none;

    function _refused(Offer memory o, RentRequest memory r, bytes memory error) internal {
        _refused(o, _sign(o), r, error);
    }

    function _refused(Offer memory o, bytes memory signature, RentRequest memory r, bytes memory error) internal {
        _refused(o, signature, none, r, error);
    }

    function _refused(
        Offer memory o,
        bytes memory signature,
        bytes32[] memory proof,
        RentRequest memory r,
        bytes memory error
    ) internal {
        bytes32 before = _fingerprint(o);
        vm.prank(renter);
        vm.expectRevert(error);
        // some tokens and wallets burn all the gas they get
        escrow.rent{gas: 5_000_000}(o, signature, proof, r);
        assertEq(_fingerprint(o), before, "a refused rent changed something");
    }

    function _fingerprint(Offer memory o) private view returns (bytes32) {
        return keccak256(
            abi.encode(
                escrow.leaseCount(),
                lens.filled(lens.offerHash(o)),
                escrow.liabilities(address(token)),
                lens.exposure(o.oracle, o.token),
                escrow.balance(o.provider, o.token),
                token.balanceOf(renter),
                token.balanceOf(address(escrow))
            )
        );
    }

    function _rentAs(address caller, Offer memory o, bytes memory signature, RentRequest memory r)
        internal
        returns (uint256)
    {
        return _rentAs(caller, o, signature, none, r);
    }

    function _rentAs(
        address caller,
        Offer memory o,
        bytes memory signature,
        bytes32[] memory proof,
        RentRequest memory r
    ) internal returns (uint256) {
        vm.prank(caller);
        return escrow.rent(o, signature, proof, r);
    }

    /// @dev An account that can pay.
    function _payer(string memory name) internal returns (address payer) {
        payer = makeAddr(name);
        token.mint(payer, DEPOSIT);
        vm.prank(payer);
        token.approve(address(escrow), type(uint256).max);
    }

    /// @dev Only the signature binds a provider to an offer, so this is the error of most bad
    /// offers.
    function _invalid(address signer) internal pure returns (bytes memory) {
        return _error(ILeaseEscrow.InvalidSignature.selector, signer);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LeaseEscrow} from "contracts/src/escrow/LeaseEscrow.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice Holds NFTs for their depositors, as lending markets and NFT pools do. It can't move
/// ERC-20 tokens.
contract Vault {
    LeaseEscrow private immutable ESCROW;
    mapping(uint256 => address) private _depositors;

    constructor(LeaseEscrow escrow) {
        ESCROW = escrow;
    }

    function put(uint256 id) external {
        _depositors[id] = msg.sender;
        ESCROW.transferFrom(msg.sender, address(this), id);
    }

    function take(uint256 id) external {
        require(_depositors[id] == msg.sender);
        ESCROW.transferFrom(address(this), msg.sender, id);
    }
}

/// @notice Known faults of refunds: they leave the NFT's side for the account that holds the NFT at
/// that moment.
contract CustodyFaultsTest is Rented {
    /// @notice Today: a stranger settles while the renter's NFT is in a vault. The vault gets the
    /// whole refund, and anyone can push it into the vault's own account, from which it can never
    /// leave.
    /// @dev Right: refund and slash stay with the token, and its owner claims them after taking it
    /// back.
    function test_KnownFault_ARefundInCustody_IsLost() public {
        Vault vault = new Vault(escrow);
        vm.startPrank(renter);
        escrow.approve(address(vault), id);
        vault.put(id);
        vm.stopPrank();

        // nothing was delivered: the whole payment returns
        vm.warp(END + WINDOW);
        vm.prank(stranger);
        escrow.settle(id);
        vm.prank(renter);
        vault.take(id);
        assertEq(escrow.ownerOf(id), renter);
        assertEq(_balance(renter), 0);
        assertEq(_balance(address(vault)), PAYMENT);

        vm.prank(stranger);
        escrow.withdrawFor(address(token), address(vault));
        assertEq(token.balanceOf(address(vault)), PAYMENT);
    }

    /// @notice Today: a seller cancels in front of the sale of the NFT, keeps the whole payment,
    /// and the sale still goes through: the buyer gets an empty lease.
    /// @dev Right: a refund that is not claimed yet goes with the token.
    function test_KnownFault_ASeller_KeepsTheRefundOfTheLeaseItSells() public {
        address buyer = makeAddr("buyer");
        vm.warp(START - 1);
        _cancel();
        _transfer(buyer);
        assertEq(escrow.ownerOf(id), buyer);
        assertEq(_balance(renter), PAYMENT);
        assertEq(_balance(buyer), 0);
    }
}

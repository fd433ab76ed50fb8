// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer} from "contracts/src/interfaces/LeaseTypes.sol";
import {NastyToken} from "tests/support/NastyToken.sol";
import {Renting} from "tests/support/Renting.sol";

/// @notice The escrow with listed tokens that misbehave: only their own users lose.
/// @dev The provider deposited `DEPOSIT` of the nasty token and as much of the decent one; each has
/// a lease.
contract TokensTest is Renting {
    NastyToken private nasty;
    uint256 private constant IN_NASTY = 1;
    uint256 private constant IN_DECENT = 2;
    uint256 private constant HELD = uint256(DEPOSIT) + PAYMENT;
    uint128 private constant FREE = DEPOSIT - BOND;

    address private treasury = makeAddr("treasury");

    function setUp() public override {
        super.setUp();
        nasty = new NastyToken();
        _list(address(nasty));
        registry.setTreasury(treasury);
        nasty.mint(renter, DEPOSIT);
        nasty.mint(provider.addr, DEPOSIT);
        vm.prank(renter);
        nasty.approve(address(escrow), type(uint256).max);
        vm.startPrank(provider.addr);
        nasty.approve(address(escrow), type(uint256).max);
        escrow.deposit(address(nasty), DEPOSIT);
        vm.stopPrank();
        _letPush(provider.addr);
        _rent(_nastyOffer(), _request());
        _rent();
    }

    function _nastyOffer() private view returns (Offer memory o) {
        o = _offer();
        o.token = address(nasty);
    }

    function _nastyBalance(address account) private view returns (uint256) {
        return escrow.balance(account, address(nasty));
    }

    /// @dev The decent lease and its money end as if the other token did not exist, and so does the
    /// nasty lease but for its payout.
    function _othersGetOut() private {
        _credit(IN_NASTY, 24, COMMITTED, COMMITTED, true);
        _credit(IN_DECENT, 24, COMMITTED, COMMITTED, true);
        escrow.settle(IN_NASTY);
        escrow.settle(IN_DECENT);
        assertEq(_nastyBalance(payee), 1_066_666, "what is owed in the nasty token is booked");
        escrow.withdrawFor(address(token), provider.addr);
        escrow.withdrawFor(address(token), payee);
        assertEq(token.balanceOf(provider.addr), DEPOSIT + 105_600_000);
        assertEq(token.balanceOf(payee), 1_066_666);
        assertEq(token.balanceOf(address(escrow)), 0);
    }

    function _nothingComesIn(bytes memory error) private {
        vm.prank(renter);
        vm.expectRevert(error);
        escrow.deposit{gas: 1_000_000}(address(nasty), 100);
        _refused(_nastyOffer(), _request(), error);
        assertEq(escrow.liabilities(address(nasty)), HELD);
        assertEq(_nastyBalance(renter), 0);
    }

    function _nothingGoesOut() private {
        bytes memory failed = abi.encodeWithSignature("TransferFailed()");
        vm.prank(provider.addr);
        vm.expectRevert(failed);
        escrow.withdraw{gas: 1_000_000}(address(nasty), stranger, 1);
        vm.expectRevert(failed);
        escrow.withdrawFor{gas: 1_000_000}(address(nasty), provider.addr);
        assertEq(_nastyBalance(provider.addr), FREE);
        assertEq(lens.unreconciled(provider.addr, address(nasty)), 0);
    }

    // ---------------------------------------------------------------- fees

    function test_WhenTheTokenTakesAFee_NothingComesIn() public {
        nasty.become(NastyToken.Habit.TakesFee);
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.InexactTransfer.selector, 100, 99));
        escrow.deposit(address(nasty), 100);
        bytes4 selector = ILeaseEscrow.InexactTransfer.selector;
        _refused(_nastyOffer(), _request(), _error(selector, PAYMENT, PAYMENT - 1));
        assertEq(escrow.liabilities(address(nasty)), HELD);
    }

    function test_WhenTheTokenStartsToTakeAFee_TheReceiverBearsIt() public {
        nasty.become(NastyToken.Habit.TakesFee);
        vm.prank(provider.addr);
        escrow.withdraw(address(nasty), provider.addr, FREE);
        assertEq(nasty.balanceOf(provider.addr), FREE - 1);
        assertEq(nasty.balanceOf(address(escrow)), PAYMENT + BOND, "what is owed to others is there");
        _othersGetOut();
    }

    // ---------------------------------------------------------------- false answers

    function test_WhenTheTokenReturnsNothing_EverythingWorks() public {
        nasty.become(NastyToken.Habit.ReturnsNothing);
        _rent(_nastyOffer(), _request());
        _othersGetOut();
        _credit(3, 24, COMMITTED, COMMITTED, true);
        escrow.settle(3);
        escrow.withdrawFor(address(nasty), provider.addr);
        escrow.withdrawFor(address(nasty), payee);
        assertEq(nasty.balanceOf(provider.addr), DEPOSIT + 2 * 105_600_000);
        assertEq(nasty.balanceOf(payee), 2 * 1_066_666);
        assertEq(nasty.balanceOf(address(escrow)), 0);
    }

    function test_WhenTheTokenReturnsFalse_NothingMoves() public {
        nasty.become(NastyToken.Habit.ReturnsFalse);
        _nothingComesIn(abi.encodeWithSignature("TransferFromFailed()"));
        _nothingGoesOut();
        _othersGetOut();
    }

    function test_WhenTheTokenMovesNothing_NothingComesInAndWithdrawalsAreLost() public {
        nasty.become(NastyToken.Habit.MovesNothing);
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.InexactTransfer.selector, 100, 0));
        escrow.deposit(address(nasty), 100);
        vm.prank(provider.addr);
        escrow.withdraw(address(nasty), provider.addr, 7);
        assertEq(_nastyBalance(provider.addr), FREE - 7);
        assertEq(nasty.balanceOf(address(escrow)), HELD);
        _othersGetOut();
    }

    function test_WhenTheTokenOnlyPretends_ItsOwnUsersLose() public {
        nasty.become(NastyToken.Habit.Pretends);
        vm.prank(renter);
        escrow.deposit(address(nasty), FREE);
        assertEq(_nastyBalance(renter), FREE);
        nasty.become(NastyToken.Habit.None);
        vm.prank(renter);
        escrow.withdrawFor(address(nasty), renter);
        vm.expectRevert(abi.encodeWithSignature("TransferFailed()"));
        escrow.withdrawFor(address(nasty), provider.addr);
        _othersGetOut();
    }

    function test_WhenTheTokenOverstatesWhatIsHeld_ItsOwnUsersLose() public {
        nasty.lie(address(escrow), HELD + FREE);
        escrow.recoverSurplus(address(nasty));
        assertEq(nasty.balanceOf(treasury), FREE);
        vm.expectRevert(abi.encodeWithSignature("TransferFailed()"));
        escrow.withdrawFor(address(nasty), provider.addr);
        vm.expectRevert(_error(ILeaseEscrow.NothingToRecover.selector, address(token)));
        escrow.recoverSurplus(address(token));
        _othersGetOut();
    }

    function test_WhenTheTokenUnderstatesWhatIsHeld_NothingComesInAndAllGoesOut() public {
        nasty.lie(address(escrow), 1);
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.InexactTransfer.selector, 100, 0));
        escrow.deposit(address(nasty), 100);
        vm.expectRevert(_error(ILeaseEscrow.NothingToRecover.selector, address(nasty)));
        escrow.recoverSurplus(address(nasty));
        _othersGetOut();
        escrow.withdrawFor(address(nasty), provider.addr);
        assertEq(nasty.balanceOf(provider.addr), DEPOSIT + 105_600_000);
    }

    function test_WhenTheTokenReportsNoBalance_NothingComesInAndAllGoesOut() public {
        nasty.mute();
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.InexactTransfer.selector, 100, 0));
        escrow.deposit(address(nasty), 100);
        vm.expectRevert(_error(ILeaseEscrow.NothingToRecover.selector, address(nasty)));
        escrow.recoverSurplus(address(nasty));
        vm.prank(provider.addr);
        escrow.withdraw(address(nasty), stranger, FREE);
        _othersGetOut();
    }

    // ---------------------------------------------------------------- rebasing

    function test_WhenTheTokenRebasesUp_TheTreasuryGetsIt() public {
        nasty.mint(address(escrow), 1000);
        escrow.recoverSurplus(address(nasty));
        assertEq(nasty.balanceOf(treasury), 1000);
        _othersGetOut();
        escrow.withdrawFor(address(nasty), provider.addr);
        escrow.withdrawFor(address(nasty), payee);
        assertEq(nasty.balanceOf(provider.addr), DEPOSIT + 105_600_000);
        assertEq(nasty.balanceOf(payee), 1_066_666);
    }

    function test_WhenTheTokenRebasesDown_TheLastToLeaveWaits() public {
        nasty.burn(address(escrow), 1000);
        _othersGetOut();
        escrow.withdrawFor(address(nasty), payee);
        vm.expectRevert(abi.encodeWithSignature("TransferFailed()"));
        escrow.withdrawFor(address(nasty), provider.addr);
        uint128 owed = DEPOSIT + 105_600_000;
        assertEq(_nastyBalance(provider.addr), owed, "it stays booked");
        vm.prank(provider.addr);
        escrow.withdraw(address(nasty), provider.addr, owed - 1000);
        assertEq(nasty.balanceOf(provider.addr), owed - 1000);
    }

    // ---------------------------------------------------------------- blocked addresses

    function test_WhenTheTokenBlocksAnAccount_ItIsPaidElsewhere() public {
        nasty.blockAccount(provider.addr);
        vm.expectRevert(abi.encodeWithSignature("TransferFailed()"));
        escrow.withdrawFor(address(nasty), provider.addr);
        _othersGetOut();
        vm.prank(provider.addr);
        escrow.withdraw(address(nasty), stranger, DEPOSIT + 105_600_000);
        escrow.withdrawFor(address(nasty), payee);
        assertEq(nasty.balanceOf(stranger), DEPOSIT + 105_600_000);
        assertEq(nasty.balanceOf(payee), 1_066_666);
    }

    function test_WhenTheTokenBlocksTheEscrow_OnlyThisTokenStays() public {
        nasty.blockAccount(address(escrow));
        _nothingComesIn(abi.encodeWithSignature("TransferFromFailed()"));
        _nothingGoesOut();
        _othersGetOut();
    }

    // ---------------------------------------------------------------- gas, bombs, reverts

    function test_WhenTheTokenBurnsGas_NothingMoves() public {
        nasty.become(NastyToken.Habit.BurnsGas);
        _nothingComesIn(abi.encodeWithSignature("TransferFromFailed()"));
        _nothingGoesOut();
        _othersGetOut();
    }

    function test_WhenTheTokenRevertsWithABomb_NothingMoves() public {
        nasty.become(NastyToken.Habit.RevertsWithABomb);
        _nothingComesIn(abi.encodeWithSignature("TransferFromFailed()"));
        _nothingGoesOut();
        _othersGetOut();
    }

    function test_WhenTheTokenRevertsWithoutAReason_NothingMoves() public {
        nasty.become(NastyToken.Habit.Reverts);
        _nothingComesIn(abi.encodeWithSignature("TransferFromFailed()"));
        _nothingGoesOut();
        _othersGetOut();
    }

    /// @dev Building the bomb costs the token 345,000 gas; copying it would cost the escrow as much
    /// again.
    function test_WhenTheTokenReturnsABomb_ItIsNotCopied() public {
        nasty.become(NastyToken.Habit.ReturnsABomb);
        uint256 before = gasleft();
        escrow.withdrawFor(address(nasty), provider.addr);
        assertLt(before - gasleft(), 500_000);
        assertEq(nasty.balanceOf(provider.addr), FREE);
        vm.prank(renter);
        escrow.deposit(address(nasty), 100);
        assertEq(_nastyBalance(renter), 100);
    }
}

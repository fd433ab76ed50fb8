// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IERC4907} from "contracts/src/interfaces/IERC4907.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Lease, Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {ERC721} from "solady/tokens/ERC721.sol";
import {NastyToken} from "tests/support/NastyToken.sol";
import {Renting} from "tests/support/Renting.sol";

/// @notice A token that calls the escrow back in the middle of a transfer.
/// @dev The token itself has a deposit and owns lease 1; it tries everything that an actor may do.
contract ReentrancyTest is Renting {
    NastyToken private nasty;
    address private treasury = makeAddr("treasury");
    bytes private signature;

    function setUp() public override {
        super.setUp();
        nasty = new NastyToken();
        _list(address(nasty));
        registry.setTreasury(treasury);
        address[3] memory holders = [renter, provider.addr, address(nasty)];
        for (uint256 i; i < 3; ++i) {
            nasty.mint(holders[i], DEPOSIT);
            vm.startPrank(holders[i]);
            nasty.approve(address(escrow), type(uint256).max);
            if (i != 0) escrow.deposit(address(nasty), DEPOSIT);
            vm.stopPrank();
        }
        signature = _sign(_nastyOffer());
        RentRequest memory r = _request();
        r.recipient = address(nasty);
        _rentAs(renter, _nastyOffer(), signature, r);
    }

    function _nastyOffer() private view returns (Offer memory o) {
        o = _offer();
        (o.token, o.hashRate) = (address(nasty), 100 * RATE);
    }

    function _guarded() private view returns (bytes[] memory calls) {
        calls = new bytes[](11);
        calls[0] = abi.encodeCall(ILeaseEscrow.deposit, (address(nasty), 1));
        calls[1] = abi.encodeCall(ILeaseEscrow.withdraw, (address(nasty), treasury, 1));
        calls[2] = abi.encodeCall(ILeaseEscrow.withdrawFor, (address(nasty), address(nasty)));
        calls[3] = abi.encodeCall(ILeaseEscrow.withdrawNative, (treasury, 0));
        address[] memory all = new address[](1);
        all[0] = renter;
        calls[4] = abi.encodeCall(ILeaseEscrow.reconcile, (address(nasty), all));
        calls[5] = abi.encodeCall(ILeaseEscrow.recoverSurplus, (address(nasty)));
        calls[6] = abi.encodeCall(ILeaseEscrow.rent, (_nastyOffer(), signature, none, _request()));
        // a batch may be entered, but not the functions that it calls
        bytes[] memory one = new bytes[](1);
        one[0] = calls[1];
        calls[7] = abi.encodeCall(ILeaseEscrow.batch, (one, true));
        calls[8] = abi.encodeCall(ILeaseEscrow.claim, (_only(1), treasury));
        calls[9] = abi.encodeCall(ILeaseEscrow.claimNative, (_only(1), treasury));
        calls[10] = abi.encodeCall(ILeaseEscrow.claimFor, (_only(1)));
    }

    function _turnedAway() private view {
        assertFalse(nasty.accepted());
        assertEq(nasty.answer(), abi.encodeWithSignature("Reentrancy()"));
    }

    /// @dev The escrow holds what it owes: balances, and payments and bonds of open, untouched
    /// leases.
    function _addsUp() private view {
        uint256 owed;
        address[5] memory accounts = [renter, provider.addr, address(nasty), payee, stranger];
        uint256 unreconciled;
        for (uint256 i; i < accounts.length; ++i) {
            owed += escrow.balance(accounts[i], address(nasty));
            unreconciled += lens.unreconciled(accounts[i], address(nasty));
        }
        for (uint256 id = 1; id <= escrow.leaseCount(); ++id) {
            Lease memory l = escrow.lease(id);
            if (!l.settled) owed += l.payment + l.bond;
            owed += l.held;
        }
        assertEq(nasty.balanceOf(address(escrow)), owed);
        assertEq(escrow.liabilities(address(nasty)), owed + unreconciled);
    }

    // ---------------------------------------------------------------- functions that move money

    /// @dev Calls every function that moves money from within every function that moves tokens.
    function test_WhenTheTokenCallsBack_NoFunctionThatMovesMoneyCanBeEntered() public {
        bytes[] memory calls = _guarded();
        for (uint256 i; i < calls.length; ++i) {
            nasty.callBack(address(escrow), calls[i]);
            vm.startPrank(renter);
            escrow.deposit(address(nasty), 10);
            _turnedAway();
            escrow.withdraw(address(nasty), renter, 5);
            _turnedAway();
            escrow.withdrawFor(address(nasty), renter);
            _turnedAway();
            uint256 id = escrow.rent(_nastyOffer(), signature, none, _request());
            _turnedAway();
            escrow.cancel(id);
            escrow.claim(_only(id), renter);
            _turnedAway();
            vm.stopPrank();
            _addsUp();
            nasty.mint(address(escrow), 1);
            escrow.reconcile(address(nasty), _ofRenter());
            escrow.recoverSurplus(address(nasty));
            _turnedAway();
            _addsUp();
        }
        assertEq(escrow.leaseCount(), 12);
        assertEq(nasty.balanceOf(treasury), 11);
        assertEq(escrow.balance(address(nasty), address(nasty)), DEPOSIT);
    }

    function _ofRenter() private view returns (address[] memory list) {
        list = new address[](1);
        list[0] = renter;
    }

    /// @dev In the middle of a withdrawal the escrow still holds the money but, were the account
    /// reconciled, would no longer count it: it would look like a surplus.
    function test_AWithdrawalInTheMiddle_IsNoSurplus() public {
        bytes[] memory both = new bytes[](2);
        address[] memory who = new address[](1);
        who[0] = provider.addr;
        both[0] = abi.encodeCall(ILeaseEscrow.reconcile, (address(nasty), who));
        both[1] = abi.encodeCall(ILeaseEscrow.recoverSurplus, (address(nasty)));
        for (uint256 strict; strict < 2; ++strict) {
            nasty.callBack(address(escrow), abi.encodeCall(ILeaseEscrow.batch, (both, strict == 1)));
            vm.prank(provider.addr);
            escrow.withdraw(address(nasty), provider.addr, 1000);
            assertEq(nasty.accepted(), strict == 0);
            assertEq(nasty.balanceOf(treasury), 0);
            _addsUp();
        }
    }

    /// @dev A failed reentry in the caller's batch must not leave the guard up for the next call.
    function test_AfterACallBack_TheGuardIsDownAgain() public {
        nasty.callBack(address(escrow), _guarded()[1]);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(ILeaseEscrow.withdraw, (address(nasty), stranger, 1));
        calls[1] = abi.encodeCall(ILeaseEscrow.withdraw, (address(nasty), stranger, 2));
        vm.prank(provider.addr);
        escrow.batch(calls, true);
        assertEq(nasty.balanceOf(stranger), 3);
    }

    // ---------------------------------------------------------------- functions that book balances

    function _during(bytes memory call) private {
        nasty.callBack(address(escrow), call);
        vm.prank(renter);
        escrow.deposit(address(nasty), 10);
        assertTrue(nasty.accepted());
        nasty.become(NastyToken.Habit.None);
    }

    function test_ACancellationInTheMiddle_AddsUp() public {
        _during(abi.encodeCall(ILeaseEscrow.cancel, (1)));
        assertTrue(escrow.lease(1).settled);
        assertEq(escrow.lease(1).held, PAYMENT - 2_133_333);
        assertEq(escrow.balance(provider.addr, address(nasty)), DEPOSIT + 2_133_333);
        _addsUp();
    }

    /// @dev The lease that is being paid for exists already; if the payment does not arrive, all of
    /// it is undone.
    function test_ALeaseThatIsCancelledWhileItIsPaidFor_AddsUp() public {
        RentRequest memory r = _request();
        r.recipient = address(nasty);
        nasty.callBack(address(escrow), abi.encodeCall(ILeaseEscrow.cancel, (2)));
        _rentAs(renter, _nastyOffer(), signature, r);
        assertTrue(nasty.accepted());
        assertTrue(escrow.lease(2).settled);
        assertEq(nasty.balanceOf(renter), DEPOSIT - 2 * PAYMENT);
        assertEq(escrow.lease(2).held, PAYMENT - 2_133_333);
        _addsUp();
        // and with a payer without tokens
        nasty.callBack(address(escrow), abi.encodeCall(ILeaseEscrow.cancel, (3)));
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSignature("TransferFromFailed()"));
        escrow.rent(_nastyOffer(), signature, none, r);
        assertEq(escrow.leaseCount(), 2);
        assertEq(escrow.lease(2).held, PAYMENT - 2_133_333);
        _addsUp();
    }

    function test_ACollectionInTheMiddle_AddsUp() public {
        _credit(1, 24, COMMITTED / 2, COMMITTED, false);
        _during(abi.encodeCall(ILeaseEscrow.collect, (1)));
        assertEq(escrow.balance(payee, address(nasty)), 533_333);
        assertEq(escrow.balance(provider.addr, address(nasty)), DEPOSIT - BOND + 52_800_000);
        vm.warp(END + WINDOW);
        escrow.settle(1);
        _addsUp();
    }

    function test_ASettlementInTheMiddle_AddsUp() public {
        _credit(1, 24, COMMITTED / 2, COMMITTED, true);
        nasty.callBack(address(escrow), abi.encodeCall(ILeaseEscrow.settle, (1)));
        vm.prank(provider.addr);
        escrow.withdrawFor(address(nasty), provider.addr);
        assertTrue(nasty.accepted());
        assertEq(nasty.balanceOf(provider.addr), DEPOSIT - BOND, "what was booked in the middle stays booked");
        assertEq(escrow.balance(provider.addr, address(nasty)), 52_800_000 + 11_733_334);
        assertEq(escrow.lease(1).held, 53_333_333 + 9_599_999);
        assertEq(escrow.balance(payee, address(nasty)), 533_333);
        _addsUp();
    }

    function test_ATerminationAndAVoidEpoch_AreRefusedToTheToken() public {
        vm.warp(START + 1 hours);
        nasty.callBack(address(escrow), abi.encodeCall(ILeaseEscrow.terminate, (1)));
        vm.prank(renter);
        escrow.deposit(address(nasty), 10);
        assertEq(nasty.answer(), abi.encodeWithSelector(ILeaseEscrow.NotLeaseProvider.selector, 1, address(nasty)));
        nasty.callBack(address(escrow), abi.encodeCall(ILeaseEscrow.voidEpoch, (1, 0, stranger)));
        vm.prank(renter);
        escrow.deposit(address(nasty), 10);
        assertEq(nasty.answer(), abi.encodeWithSelector(ILeaseEscrow.NotLeaseOracle.selector, 1, address(nasty)));
        _addsUp();
    }

    // ---------------------------------------------------------------- functions that book nothing

    function test_FunctionsThatBookNothing_MayBeEntered() public {
        Offer memory own = _nastyOffer();
        own.provider = address(nasty);
        bytes[7] memory calls = [
            abi.encodeCall(ILeaseEscrow.bumpCounter, ()),
            abi.encodeCall(ILeaseEscrow.cancelOffer, (own)),
            abi.encodeCall(ILeaseEscrow.permit, (address(nasty), 1, NOW, 27, 0, 0)),
            abi.encodeCall(ILeaseEscrow.setBoxes, (1, "new", "boxes")),
            abi.encodeCall(IERC4907.setUser, (1, stranger, NOW)),
            abi.encodeCall(ERC721.approve, (stranger, 1)),
            abi.encodeCall(ERC721.transferFrom, (address(nasty), stranger, 1))
        ];
        for (uint256 i; i < calls.length; ++i) {
            _during(calls[i]);
            _addsUp();
        }
        assertEq(escrow.ownerOf(1), stranger);
    }

    /// @dev Sold in the middle of its own payment: the new owner gets the lease and the refund.
    function test_ALeaseThatIsSoldWhileItIsPaidFor_BelongsToTheBuyer() public {
        RentRequest memory r = _request();
        r.recipient = address(nasty);
        bytes memory sale = abi.encodeCall(ERC721.transferFrom, (address(nasty), stranger, 2));
        nasty.callBack(address(escrow), sale);
        _rentAs(renter, _nastyOffer(), signature, r);
        assertEq(escrow.ownerOf(2), stranger);
        vm.prank(stranger);
        escrow.cancel(2);
        assertEq(escrow.lease(2).held, PAYMENT - 2_133_333);
        _addsUp();
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer} from "contracts/src/interfaces/LeaseTypes.sol";
import {NastyToken} from "tests/support/NastyToken.sol";
import {Renting} from "tests/support/Renting.sol";
import {WrappedNative} from "tests/support/WrappedNative.sol";

interface IPermitToken {
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;
}

/// @notice An allowance, and the calls that need it, in one transaction.
contract PermitTest is Renting {
    bytes32 private constant TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    Account private buyer;

    function setUp() public override {
        super.setUp();
        buyer = makeAccount("buyer");
        token.mint(buyer.addr, DEPOSIT);
    }

    struct Signed {
        uint256 amount;
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    function _signed(uint256 amount, uint256 deadline) private view returns (Signed memory p) {
        bytes32 structHash =
            keccak256(abi.encode(TYPEHASH, buyer.addr, address(escrow), amount, token.nonces(buyer.addr), deadline));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash));
        (p.amount, p.deadline) = (amount, deadline);
        (p.v, p.r, p.s) = vm.sign(buyer.key, digest);
    }

    function _permitCall(address in_, Signed memory p) private pure returns (bytes memory) {
        return abi.encodeCall(ILeaseEscrow.permit, (in_, p.amount, p.deadline, p.v, p.r, p.s));
    }

    function _rentCall(Offer memory o) private view returns (bytes memory) {
        return abi.encodeCall(ILeaseEscrow.rent, (o, _sign(o), none, _request()));
    }

    function _permitAndRent(Signed memory p, Offer memory o) private {
        bytes[] memory calls = new bytes[](2);
        (calls[0], calls[1]) = (_permitCall(o.token, p), _rentCall(o));
        vm.prank(buyer.addr);
        escrow.batch(calls, true);
    }

    function _rented() private view {
        assertEq(escrow.ownerOf(1), renter);
        assertEq(token.balanceOf(buyer.addr), DEPOSIT - PAYMENT);
        assertEq(token.allowance(buyer.addr, address(escrow)), 0);
    }

    // ---------------------------------------------------------------- the allowance suffices

    function test_AFreshPermit_PaysForALeaseInOneTransaction() public {
        _permitAndRent(_signed(PAYMENT, NOW), _offer());
        _rented();
        assertEq(token.nonces(buyer.addr), 1);
    }

    function test_APermit_ServesADepositToo() public {
        bytes[] memory calls = new bytes[](2);
        calls[0] = _permitCall(address(token), _signed(5, NOW));
        calls[1] = abi.encodeCall(ILeaseEscrow.deposit, (address(token), 5));
        vm.prank(buyer.addr);
        escrow.batch(calls, true);
        assertEq(_balance(buyer.addr), 5);
    }

    /// @dev Anyone who sees the permit in the mempool can use it first; that must not stop the
    /// caller.
    function test_WhenSomebodyUsedThePermitBefore_TheLeaseIsRentedAllTheSame() public {
        Signed memory p = _signed(PAYMENT, NOW);
        vm.prank(stranger);
        IPermitToken(address(token)).permit(buyer.addr, address(escrow), p.amount, p.deadline, p.v, p.r, p.s);
        _permitAndRent(p, _offer());
        _rented();
    }

    function test_WhenThePermitIsBadButTheAllowanceSuffices_TheLeaseIsRented() public {
        vm.prank(buyer.addr);
        token.approve(address(escrow), PAYMENT);
        _permitAndRent(_signed(PAYMENT, NOW - 1), _offer());
        _rented();
    }

    function test_WhenTheTokenKnowsNoPermit_TheAllowanceDecides() public {
        NastyToken plain = new NastyToken();
        _list(address(plain));
        plain.mint(buyer.addr, DEPOSIT);
        Offer memory o = _bondless(address(plain));
        vm.prank(buyer.addr);
        plain.approve(address(escrow), PAYMENT);
        _permitAndRent(_signed(PAYMENT, NOW), o);
        assertEq(plain.balanceOf(buyer.addr), DEPOSIT - PAYMENT);
    }

    /// @dev Wrapped native currency treats any call as a deposit, so a permit seems to succeed and
    /// allows nothing.
    function test_WhenTheTokenOnlySeemsToKnowPermits_TheAllowanceDecides() public {
        WrappedNative wrapped = new WrappedNative();
        _list(address(wrapped));
        vm.deal(buyer.addr, PAYMENT);
        Offer memory o = _bondless(address(wrapped));
        vm.prank(buyer.addr);
        wrapped.deposit{value: PAYMENT}();
        bytes[] memory calls = new bytes[](2);
        (calls[0], calls[1]) = (_permitCall(o.token, _signed(PAYMENT, NOW)), _rentCall(o));
        vm.prank(buyer.addr);
        vm.expectRevert(abi.encodeWithSignature("TransferFromFailed()"));
        escrow.batch(calls, true);
        vm.prank(buyer.addr);
        wrapped.approve(address(escrow), PAYMENT);
        _permitAndRent(_signed(PAYMENT, NOW), o);
        assertEq(wrapped.balanceOf(address(escrow)), PAYMENT);
    }

    // ---------------------------------------------------------------- no effect

    function test_WhenThereIsNoTokenThere_NothingHappens() public {
        Signed memory p = _signed(PAYMENT, NOW);
        vm.prank(buyer.addr);
        escrow.permit(stranger, p.amount, p.deadline, p.v, p.r, p.s);
        assertEq(token.nonces(buyer.addr), 0);
    }

    function test_WhenThePermitIsExpiredAndNothingIsAllowed_TheWholeBatchReverts() public {
        bytes[] memory calls = new bytes[](2);
        (calls[0], calls[1]) = (_permitCall(address(token), _signed(PAYMENT, NOW - 1)), _rentCall(_offer()));
        vm.prank(buyer.addr);
        vm.expectRevert(abi.encodeWithSignature("TransferFromFailed()"));
        escrow.batch(calls, true);
        assertEq(escrow.leaseCount(), 0);
        assertEq(token.allowance(buyer.addr, address(escrow)), 0);
    }

    /// @dev A permit belongs to its caller: nobody spends another account's allowance.
    function test_AnothersPermit_IsOfNoUse() public {
        Signed memory p = _signed(PAYMENT, NOW);
        bytes[] memory calls = new bytes[](2);
        (calls[0], calls[1]) = (_permitCall(address(token), p), _rentCall(_offer()));
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSignature("TransferFromFailed()"));
        escrow.batch(calls, true);
        vm.prank(stranger);
        escrow.permit(address(token), p.amount, p.deadline, p.v, p.r, p.s);
        assertEq(token.allowance(buyer.addr, address(escrow)), 0);
        assertEq(token.balanceOf(buyer.addr), DEPOSIT);
    }

    function test_APermit_MovesNothingByItself() public {
        Signed memory p = _signed(PAYMENT, NOW);
        vm.prank(buyer.addr);
        escrow.permit(address(token), p.amount, p.deadline, p.v, p.r, p.s);
        assertEq(token.allowance(buyer.addr, address(escrow)), PAYMENT);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSignature("TransferFromFailed()"));
        escrow.deposit(address(token), 1);
        assertEq(token.balanceOf(buyer.addr), DEPOSIT);
    }
}

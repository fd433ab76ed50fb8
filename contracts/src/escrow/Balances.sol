// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Guard} from "contracts/src/escrow/Guard.sol";
import {LeaseStorage} from "contracts/src/escrow/LeaseStorage.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {Purse} from "contracts/src/libraries/Packed.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {LibCall} from "solady/utils/LibCall.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

interface IPermit {
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;
}

interface IWrappedNative {
    function deposit() external payable;
    function withdraw(uint256 amount) external;
}

/// @title Money in and out
/// @notice `liabilities` counts every base unit that arrives at once. A unit that is withdrawn
/// stops counting when its account is reconciled (what a lease held, when it is claimed), so
/// `liabilities` is never less than what is owed, and a withdrawal writes one slot of this
/// contract.
abstract contract Balances is LeaseStorage, Guard {
    /// @dev Smallest gas share of a call in a lenient batch: more than any call here needs with an
    /// ordinary token.
    uint256 private constant MIN_SHARE = 300_000;

    IRegistry internal immutable REGISTRY;

    constructor(address registry_) {
        require(registry_ != address(0), ZeroAddress());
        REGISTRY = IRegistry(registry_);
    }

    /// @dev Only unwrapping sends native currency here.
    receive() external payable {
        require(msg.sender == _wrappedNative, NotWrappedNative(msg.sender));
    }

    // ---------------------------------------------------------------- in

    /// @inheritdoc ILeaseEscrow
    function deposit(address token, uint256 amount) external payable nonReentrant {
        _owe(token, amount);
        _book(msg.sender, token, amount);
        // bonds are locked out of it, so nobody else may push it out
        if (!_sellers[msg.sender].keepsBalance) _keepBalance(true);
        emit Deposited(msg.sender, token, amount);
        _pull(token, amount);
    }

    /// @dev Adds to `liabilities` within 128 bits, which bound every balance and every withdrawal.
    function _owe(address token, uint256 amount) internal {
        uint256 owed = FixedPointMathLib.saturatingAdd(liabilities[token], amount);
        require(owed <= type(uint128).max, LiabilitiesOverflow(owed));
        liabilities[token] = owed;
    }

    /// @dev Exactly `amount` must arrive: tokens that take a fee can't be used.
    function _pull(address token, uint256 amount) internal {
        uint256 before = SafeTransferLib.balanceOf(token, address(this));
        if (msg.value == 0) {
            SafeTransferLib.safeTransferFrom(token, msg.sender, address(this), amount);
        } else {
            require(token == _native(), NativeNotTaken(token));
            require(msg.value == amount, InexactTransfer(amount, msg.value));
            // the token is the wrapped native currency, which the registry set once
            // slither-disable-next-line arbitrary-send-eth
            IWrappedNative(token).deposit{value: amount}();
        }
        uint256 arrived = FixedPointMathLib.zeroFloorSub(SafeTransferLib.balanceOf(token, address(this)), before);
        require(arrived == amount, InexactTransfer(amount, arrived));
    }

    /// @dev Copies the address from the registry when it is first needed and keeps it.
    function _native() internal returns (address token) {
        token = _wrappedNative;
        if (token == address(0)) {
            token = REGISTRY.wrappedNative();
            _wrappedNative = token;
        }
    }

    /// @inheritdoc ILeaseEscrow
    function permit(address token, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        bytes memory data = abi.encodeCall(IPermit.permit, (msg.sender, address(this), amount, deadline, v, r, s));
        // if the permit failed, the allowance is missing when the tokens are pulled
        // slither-disable-next-line unused-return
        LibCall.tryCall(token, 0, gasleft(), 0, data);
    }

    // ---------------------------------------------------------------- out

    /// @inheritdoc ILeaseEscrow
    function withdraw(address token, address to, uint128 amount) external nonReentrant {
        _debitWithdrawal(msg.sender, token, to, amount);
        _send(token, to, amount);
    }

    /// @inheritdoc ILeaseEscrow
    function withdrawFor(address token, address account) external nonReentrant {
        require(msg.sender == account || !_sellers[account].keepsBalance, BalanceIsKept(account));
        uint256 amount = _purses[account][token].purse.balance();
        _debitWithdrawal(account, token, account, amount);
        _send(token, account, amount);
    }

    /// @inheritdoc ILeaseEscrow
    function withdrawNative(address to, uint256 amount) external nonReentrant {
        address token = _native();
        require(token != address(0), NativeNotTaken(token));
        _debitWithdrawal(msg.sender, token, to, amount);
        _sendNative(token, to, amount);
    }

    /// @inheritdoc ILeaseEscrow
    function keepBalance(bool kept) external {
        _keepBalance(kept);
    }

    function _keepBalance(bool kept) private {
        _sellers[msg.sender].keepsBalance = kept;
        emit BalanceKept(msg.sender, kept);
    }

    /// @dev The caller sends `amount` to `to` afterwards.
    function _debitWithdrawal(address account, address token, address to, uint256 amount) private {
        _checkRecipient(to);
        PurseSlot storage slot = _purses[account][token];
        Purse purse = slot.purse;
        require(purse.balance() >= amount, InsufficientBalance(purse.balance(), amount));
        slot.purse = purse.withdraw(amount);
        emit Withdrawn(account, token, to, amount);
    }

    function _checkRecipient(address to) internal view {
        require(to != address(0) && to != address(this), InvalidRecipient(to));
    }

    /// @dev Nothing else leaves the escrow but surplus. Callers book first.
    function _send(address token, address to, uint256 amount) internal {
        SafeTransferLib.safeTransfer(token, to, amount);
    }

    function _sendNative(address token, address to, uint256 amount) internal {
        IWrappedNative(token).withdraw(amount);
        SafeTransferLib.safeTransferETH(to, amount);
    }

    function _debit(address account, address token, uint256 amount) internal {
        PurseSlot storage slot = _purses[account][token];
        Purse purse = slot.purse;
        require(purse.balance() >= amount, InsufficientBalance(purse.balance(), amount));
        slot.purse = purse.debit(amount);
    }

    /// @dev Expects `amount` to be counted in `liabilities` already, which keeps a balance within
    /// 128 bits.
    function _book(address account, address token, uint256 amount) internal {
        // slither-disable-next-line incorrect-equality
        if (amount == 0) return;
        PurseSlot storage slot = _purses[account][token];
        slot.purse = slot.purse.book(amount);
    }

    // ---------------------------------------------------------------- surplus

    /// @inheritdoc ILeaseEscrow
    function reconcile(address token, address[] calldata accounts) external nonReentrant {
        uint256 owed = liabilities[token];
        for (uint256 i; i < accounts.length; ++i) {
            PurseSlot storage slot = _purses[accounts[i]][token];
            owed -= slot.purse.withdrawn();
            slot.purse = slot.purse.reconcile();
        }
        liabilities[token] = owed;
        emit Reconciled(token, owed);
    }

    /// @inheritdoc ILeaseEscrow
    function recoverSurplus(address token) external nonReentrant {
        address to = REGISTRY.treasury();
        require(to != address(0), ZeroAddress());
        // the escrow holds native currency only while wrapping or unwrapping, but ERC-721's payable
        // functions accept it
        bool isNative = token == address(0);
        uint256 held = isNative ? address(this).balance : SafeTransferLib.balanceOf(token, address(this));
        uint256 owed = liabilities[token];
        require(held > owed, NothingToRecover(token));
        emit SurplusRecovered(token, to, held - owed);
        if (isNative) SafeTransferLib.safeTransferETH(to, held);
        else SafeTransferLib.safeTransfer(token, to, held - owed);
    }

    // ---------------------------------------------------------------- batch

    /// @inheritdoc ILeaseEscrow
    function batch(bytes[] calldata calls, bool strict) external {
        uint256 count = calls.length;
        for (uint256 i; i < count; ++i) {
            // a call that burns its gas must not starve later calls, and no call may fail for lack
            // of gas alone
            uint256 share = strict ? gasleft() : gasleft() / (count - i);
            require(strict || share >= MIN_SHARE, CallOutOfGas(i, share));
            (bool done, bytes memory reason) = address(this).delegatecall{gas: share}(calls[i]);
            if (done) continue;
            if (strict) LibCall.bubbleUpRevert(reason);
            // a failed call was undone, events included
            // slither-disable-next-line reentrancy-events
            emit CallFailed(i, reason);
        }
    }

    /// @inheritdoc ILeaseEscrow
    function registry() external view returns (address) {
        return address(REGISTRY);
    }
}

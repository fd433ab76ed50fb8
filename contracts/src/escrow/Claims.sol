// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Balances} from "contracts/src/escrow/Balances.sol";
import {LeaseToken} from "contracts/src/escrow/LeaseToken.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Fits} from "contracts/src/libraries/Fits.sol";
import {Schedule} from "contracts/src/libraries/Packed.sol";

/// @title The holder's money
/// @notice Refund, slash, and the money that a void epoch or a cancellation gives at once stay in
/// the lease until the NFT's owner of that moment takes them. So a stranger who settles while the
/// NFT is in a vault or a market moves nothing to the wrong account.
abstract contract Claims is Balances, LeaseToken {
    /// @dev Time that the holder has after `settleAfter` before anybody may push the money.
    uint256 private constant PUSH_DELAY = 180 days;

    /// @inheritdoc ILeaseEscrow
    function claim(uint256[] calldata leases, address to) external nonReentrant {
        _claim(leases, to, false);
    }

    /// @inheritdoc ILeaseEscrow
    function claimNative(uint256[] calldata leases, address to) external nonReentrant {
        _claim(leases, to, true);
    }

    function _claim(uint256[] calldata leases, address to, bool unwrap) private {
        _checkRecipient(to);
        uint256 native;
        for (uint256 i; i < leases.length; ++i) {
            uint256 id = leases[i];
            require(_isApprovedOrOwner(msg.sender, id), NotLeaseOwner(id, msg.sender));
            (address token, uint256 amount) = _take(id, to);
            require(!unwrap || token == _native(), NativeNotTaken(token));
            if (unwrap) native += amount;
            else _send(token, to, amount);
        }
        // one call to `to`, after all effects
        if (native != 0) _sendNative(_native(), to, native);
    }

    /// @inheritdoc ILeaseEscrow
    function claimFor(uint256[] calldata leases) external nonReentrant {
        for (uint256 i; i < leases.length; ++i) {
            uint256 id = leases[i];
            Schedule schedule = _scheduleOf(id);
            uint256 from = schedule.end() + _oracles[schedule.oracle()].window + PUSH_DELAY;
            require(block.timestamp >= from, NotPushable(id, from));
            address owner = ownerOf(id);
            (address token, uint256 amount) = _take(id, owner);
            _send(token, owner, amount);
        }
    }

    /// @dev Takes all that the lease holds for its holder. The caller sends it to `to`.
    function _take(uint256 id, address to) private returns (address token, uint256 amount) {
        Funds memory funds = _funds[id];
        amount = funds.held;
        require(amount != 0, NothingToClaim(id));
        _funds[id] = Funds({payment: funds.payment, held: 0});
        token = _tokens[_particulars[id].token];
        liabilities[token] -= amount;
        emit Claimed(id, to, amount);
        emit MetadataUpdate(id);
    }

    /// @dev Adds to what the lease holds. The sum is owed already, so it fits 128 bits.
    function _hold(uint256 id, Funds memory funds, uint256 amount) internal {
        _funds[id] = Funds({payment: funds.payment, held: Fits.u128(funds.held + amount)});
    }
}

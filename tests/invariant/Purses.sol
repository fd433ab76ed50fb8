// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ERC20} from "solady/tokens/ERC20.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {Ledger} from "tests/invariant/Ledger.sol";

/// @title Money in and out
abstract contract Purses is Ledger {
    /// @dev Whether the governor closed something.
    bool internal _isClosed;
    uint256 private _purseCount;

    /// @dev Only renting and depositing depend on what the governor can close.
    function _reopen() internal {
        if (block.timestamp < registry.pausedUntil()) registry.unpause();
        if (_isClosed) _openOrClose(true);
        _isClosed = false;
    }

    // ---------------------------------------------------------------- in

    function deposit(uint256 seed) public {
        uint256 amount = _draw(seed, "amount") % 1e12 + 1;
        _depositAs(_providers[_draw(seed, "provider") % 3].addr, tokens[_draw(seed, "token") % TOKENS], amount, 0);
    }

    function depositNative(uint256 seed) public {
        uint256 amount = _draw(seed, "amount") % 1e12 + 1;
        _depositAs(_providers[_draw(seed, "provider") % 3].addr, tokens[2], amount, amount);
    }

    function _depositAs(address who, ERC20 what, uint256 amount, uint256 value) internal {
        _reopen();
        uint256 held = what.balanceOf(address(escrow));
        vm.prank(who);
        escrow.deposit{value: value}(address(what), amount);
        _expect(what.balanceOf(address(escrow)), held + amount, "deposited");
    }

    // ---------------------------------------------------------------- out

    /// @dev An account that can withdraw, and the amount.
    function _creditor(uint256 seed) private returns (address, ERC20) {
        address[] memory all = accounts();
        uint256 count = all.length * TOKENS;
        for (uint256 i; i < count; ++i) {
            uint256 at = addmod(seed, i, count);
            if (escrow.balance(all[at / TOKENS], address(tokens[at % TOKENS])) == 0) continue;
            return (all[at / TOKENS], tokens[at % TOKENS]);
        }
        deposit(seed);
        return _creditor(seed);
    }

    /// @dev Mostly a part, sometimes everything.
    function _part(uint256 seed, uint256 all) private pure returns (uint256) {
        return _draw(seed, "all") % 4 == 0 ? all : _draw(seed, "amount") % all + 1;
    }

    function _newPurse() internal returns (address) {
        return makeAddr(string.concat("purse ", vm.toString(++_purseCount)));
    }

    function withdraw(uint256 seed) external {
        (address who, ERC20 what) = _creditor(_draw(seed, "who"));
        uint256 all = escrow.balance(who, address(what));
        uint256 amount = _part(seed, all);
        address to = _newPurse();
        vm.prank(who);
        escrow.withdraw(address(what), to, SafeCastLib.toUint128(amount));
        _expect(what.balanceOf(to), amount, "withdrawn");
        _expect(escrow.balance(who, address(what)), all - amount, "debited");
    }

    function withdrawNative(uint256 seed) external {
        address who = _providers[_draw(seed, "provider") % 3].addr;
        if (escrow.balance(who, address(_wrapped)) == 0) _depositAs(who, tokens[2], 1e9, 1e9);
        if (lens.wrappedNative() == address(0)) _depositAs(who, tokens[2], 1, 1);
        uint256 all = escrow.balance(who, address(_wrapped));
        uint256 amount = _part(seed, all);
        address to = _newPurse();
        vm.prank(who);
        escrow.withdrawNative(to, amount);
        _expect(to.balance, amount, "withdrawn unwrapped");
        _expect(escrow.balance(who, address(_wrapped)), all - amount, "debited");
    }

    function pushWithdrawal(uint256 seed) external {
        (address who, ERC20 what) = _creditor(_draw(seed, "who"));
        uint256 owed = escrow.balance(who, address(what));
        uint256 before = what.balanceOf(who);
        // who deposited keeps the balance, unless it says otherwise
        if (lens.keepsBalance(who)) {
            vm.prank(who);
            escrow.keepBalance(false);
        }
        vm.prank(stranger);
        escrow.withdrawFor(address(what), who);
        _expect(what.balanceOf(who), before + owed, "pushed");
    }

    function pushAll() public {
        address[] memory all = accounts();
        for (uint256 t; t < TOKENS; ++t) {
            for (uint256 i; i < all.length; ++i) {
                vm.prank(all[i]);
                escrow.withdrawFor(address(tokens[t]), all[i]);
            }
        }
    }

    // ---------------------------------------------------------------- surplus

    function donate(uint256 seed) public {
        uint256 t = _draw(seed, "token") % TOKENS;
        uint256 amount = _draw(seed, "amount") % 1e9 + 1;
        donated[t] += amount;
        vm.prank(stranger);
        require(tokens[t].transfer(address(escrow), amount));
    }

    /// @notice One account, all of them, or the same one twice.
    function reconcile(uint256 seed) public {
        uint256 t = _draw(seed, "token") % TOKENS;
        address[] memory all = accounts();
        if (_draw(seed, "which") % 2 == 0) {
            address one = all[_draw(seed, "one") % all.length];
            all = new address[](2);
            (all[0], all[1]) = (one, one);
        }
        _reconcile(t, all);
    }

    function _reconcile(uint256 t, address[] memory all) internal {
        address what = address(tokens[t]);
        uint256 before = escrow.liabilities(what);
        uint256 gone;
        for (uint256 i; i < all.length; ++i) {
            if (i == 0 || all[i] != all[i - 1]) gone += lens.unreconciled(all[i], what);
        }
        vm.prank(stranger);
        escrow.reconcile(what, all);
        _expect(escrow.liabilities(what), before - gone, "reconciled");
    }

    /// @notice Half of the time before anybody reconciled.
    function recoverSurplus(uint256 seed) external {
        uint256 t = _draw(seed, "token") % TOKENS;
        address to = registry.treasury();
        if (_draw(seed, "reconciled") % 2 == 0) _reconcile(t, accounts());
        uint256 liabilities = escrow.liabilities(address(tokens[t]));
        uint256 held = tokens[t].balanceOf(address(escrow));
        if (held <= liabilities) {
            donated[t] += liabilities - held + 1;
            vm.prank(stranger);
            require(tokens[t].transfer(address(escrow), liabilities - held + 1));
            held = liabilities + 1;
        }
        uint256 before = tokens[t].balanceOf(to);
        vm.prank(stranger);
        escrow.recoverSurplus(address(tokens[t]));
        _expect(tokens[t].balanceOf(to) - before, held - liabilities, "recovered");
        donated[t] -= held - liabilities;
    }
}

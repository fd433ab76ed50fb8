// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ERC20} from "solady/tokens/ERC20.sol";

/// @title A token with the habits of real tokens
/// @notice Has no permits. Its current habit decides what a transfer does.
contract NastyToken is ERC20 {
    enum Habit {
        None,
        /// Keeps one unit of every transfer.
        TakesFee,
        /// Moves the amount and returns no data.
        ReturnsNothing,
        /// Moves nothing and returns false.
        ReturnsFalse,
        /// Moves nothing and returns true.
        MovesNothing,
        /// Moves nothing and pretends that it did when asked for balances.
        Pretends,
        /// Calls a contract back in the middle of a transfer.
        CallsBack,
        /// Refuses transfers from and to one address, as issuers of stablecoins can.
        Blocks,
        /// Uses all the gas it is given.
        BurnsGas,
        /// Reverts with more data than a caller should copy.
        RevertsWithABomb,
        /// Moves the amount and returns more data than a caller should copy.
        ReturnsABomb,
        /// Reverts without a reason.
        Reverts
    }

    uint256 private constant BOMB = 400_000;

    Habit public habit;
    address private _blocked;
    address private _callee;
    bytes private _data;
    mapping(address account => uint256) private _lies;
    bool private _mute;
    /// @notice Result of the callback.
    bool public accepted;
    bytes public answer;

    function become(Habit habit_) external {
        habit = habit_;
    }

    function callBack(address callee, bytes calldata data) external {
        (habit, _callee, _data) = (Habit.CallsBack, callee, data);
    }

    function blockAccount(address account) external {
        (habit, _blocked) = (Habit.Blocks, account);
    }

    /// @notice Reports `balance_` as `account`'s balance from now on; zero restores the truth.
    function lie(address account, uint256 balance_) external {
        _lies[account] = balance_;
    }

    /// @notice Reverts for every balance from now on.
    function mute() external {
        _mute = true;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function burn(address from, uint256 amount) external {
        _burn(from, amount);
    }

    function balanceOf(address account) public view override returns (uint256) {
        require(!_mute);
        return _lies[account] == 0 ? super.balanceOf(account) : _lies[account];
    }

    function permit(address, address, uint256, uint256, uint8, bytes32, bytes32) public pure override {
        revert();
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        return _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private returns (bool) {
        if (habit == Habit.ReturnsFalse) return false;
        if (habit == Habit.MovesNothing) return true;
        if (habit == Habit.Pretends) _lies[to] = balanceOf(to) + amount;
        if (habit == Habit.Pretends) return true;
        if (habit == Habit.CallsBack) (accepted, answer) = _callee.call(_data);
        if (habit == Habit.BurnsGas) _burnGas();
        if (habit == Habit.Reverts) revert();
        if (habit == Habit.RevertsWithABomb) _revertWithABomb();
        if (habit == Habit.Blocks) require(from != _blocked && to != _blocked, "blocked");
        _transfer(from, to, amount);
        if (habit == Habit.TakesFee) _burn(to, 1);
        if (habit == Habit.ReturnsNothing) {
            assembly {
                return(0, 0)
            }
        }
        if (habit == Habit.ReturnsABomb) {
            uint256 size = BOMB;
            assembly {
                mstore(0, 1)
                return(0, size)
            }
        }
        return true;
    }

    function _burnGas() private pure {
        assembly {
            invalid()
        }
    }

    function _revertWithABomb() private pure {
        uint256 size = BOMB;
        assembly {
            revert(0, size)
        }
    }

    function name() public pure override returns (string memory) {
        return "Nasty";
    }

    function symbol() public pure override returns (string memory) {
        return "NASTY";
    }
}

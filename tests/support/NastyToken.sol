// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ERC20} from "solady/tokens/ERC20.sol";

/// @title A token as tokens really are
contract NastyToken is ERC20 {
    enum Habit {
        None,
        /// Keeps one unit of every transfer.
        TakesFee,
        /// Moves the amount and returns no data.
        ReturnsNothing,
        /// Moves nothing and returns false.
        ReturnsFalse,
        /// Calls somebody back in the middle of a transfer.
        CallsBack
    }

    Habit public habit;
    address private _callee;
    bytes private _data;
    /// @notice What the callee answered.
    bool public accepted;
    bytes public answer;

    function become(Habit habit_) external {
        habit = habit_;
    }

    function callBack(address callee, bytes calldata data) external {
        (habit, _callee, _data) = (Habit.CallsBack, callee, data);
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        return _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private returns (bool) {
        if (habit == Habit.ReturnsFalse) return false;
        if (habit == Habit.CallsBack) (accepted, answer) = _callee.call(_data);
        _transfer(from, to, amount);
        if (habit == Habit.TakesFee) _burn(to, 1);
        if (habit == Habit.ReturnsNothing) {
            assembly {
                return(0, 0)
            }
        }
        return true;
    }

    function name() public pure override returns (string memory) {
        return "Nasty";
    }

    function symbol() public pure override returns (string memory) {
        return "NASTY";
    }
}

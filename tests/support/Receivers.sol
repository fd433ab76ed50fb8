// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title A contract that refuses native currency
contract Refuser {
    error NoThanks();

    receive() external payable {
        revert NoThanks();
    }
}

/// @title A contract that calls back when native currency arrives
contract Echo {
    address private _callee;
    bytes private _data;
    /// @notice Result of the callback.
    bool public accepted;
    bytes public answer;

    function callBack(address callee, bytes calldata data) external {
        (_callee, _data) = (callee, data);
    }

    receive() external payable {
        (accepted, answer) = _callee.call(_data);
    }
}

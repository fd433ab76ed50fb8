// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Where the escrow keeps what it has no getter for
/// @notice Slots for `extsload`. Follows the order of the variables in `LeaseStorage`, which an
/// escrow that is deployed never changes.
library EscrowSlots {
    uint256 private constant VOID = 3;
    uint256 private constant PURSES = 4;
    uint256 private constant SELLERS = 5;
    uint256 private constant PAIRS = 7;
    uint256 private constant FILLED = 13;
    uint256 private constant LEASE_COUNT = 14;

    /// @notice One bit for each of the epochs `256 × word` and following: whether it is void.
    function void(uint256 id, uint256 word) internal pure returns (bytes32) {
        return _at(bytes32(word), uint256(_at(bytes32(id), VOID)));
    }

    /// @notice The account's `Purse` in the token.
    function purse(address account, address token) internal pure returns (bytes32) {
        return _at(_key(token), uint256(_at(_key(account), PURSES)));
    }

    /// @notice From the lowest bit up: the account's number as a provider 40 bits, its counter 208,
    /// whether it keeps its balance 8.
    function seller(address account) internal pure returns (bytes32) {
        return _at(_key(account), SELLERS);
    }

    /// @notice From the lowest bit up: exposure of the oracle in the token 128 bits, the token's
    /// number 24.
    function pair(uint32 oracle, address token) internal pure returns (bytes32) {
        return _at(_key(token), uint256(_at(bytes32(uint256(oracle)), PAIRS)));
    }

    /// @notice Hashes per second of an offer already rented; all ones once it is cancelled.
    function filled(bytes32 offerHash) internal pure returns (bytes32) {
        return _at(offerHash, FILLED);
    }

    /// @notice From the lowest bit up: number of leases 96 bits, wrapped native currency 160.
    function leaseCount() internal pure returns (bytes32) {
        return bytes32(LEASE_COUNT);
    }

    function _key(address account) private pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    /// @dev Slot of `key` in a mapping.
    function _at(bytes32 key, uint256 mapping_) private pure returns (bytes32 slot) {
        assembly ("memory-safe") {
            mstore(0x00, key)
            mstore(0x20, mapping_)
            slot := keccak256(0x00, 0x40)
        }
    }
}

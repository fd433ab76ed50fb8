// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Oracle} from "contracts/src/interfaces/LeaseTypes.sol";
import {Progress, Purse, Schedule} from "contracts/src/libraries/Packed.sol";
import {Stakes} from "contracts/src/libraries/Settlement.sol";

/// @title Storage of leases and balances
/// @notice Renting fills four fresh slots: `Schedule`, `Funds`, `Particulars`, and the NFT's owner
/// with the collected work in its upper 96 bits. `Progress` stays zero until the first credit.
/// `credit` touches only `Schedule` and `Progress`. `EscrowSlots` says where each variable lies,
/// for readers outside.
abstract contract LeaseStorage is ILeaseEscrow {
    /// @dev The two words that `credit` reads and writes.
    struct Meter {
        Schedule schedule;
        Progress progress;
    }

    /// @dev 256 bits. `held` is the holder's money that is not claimed yet. What is left of the
    /// bond follows from the payment and the number of void epochs.
    struct Funds {
        uint128 payment;
        uint128 held;
    }

    /// @dev 256 bits. `provider` and `token` are numbers assigned at first use, which saves a slot
    /// for each.
    struct Particulars {
        address jobSigner;
        uint40 provider;
        uint24 token;
        uint16 cancelBps;
        uint16 bondBps;
    }

    /// @dev `number` is zero until the account rents out its first lease.
    struct Seller {
        uint40 number;
        uint208 counter;
        bool keepsBalance;
    }

    /// @dev Copied from the registry at the first lease. `credit` reads the first slot, `collect`
    /// the second.
    struct PinnedOracle {
        address account;
        uint32 window;
        bool voids;
        address payee;
        uint16 feeBps;
    }

    /// @dev A slot of its own, so that its place is computed once.
    struct PurseSlot {
        Purse purse;
    }

    /// @dev For one oracle and one token. `token` is the token's number, zero until the pair's
    /// first lease.
    struct Pair {
        uint128 exposure;
        uint24 token;
    }

    mapping(uint256 id => Meter) internal _meters;
    mapping(uint256 id => Funds) internal _funds;
    mapping(uint256 id => Particulars) internal _particulars;
    /// @dev One bit per epoch.
    mapping(uint256 id => mapping(uint256 word => uint256)) internal _void;

    mapping(address account => mapping(address token => PurseSlot)) internal _purses;
    mapping(address account => Seller) internal _sellers;
    mapping(uint40 number => address) internal _providers;
    mapping(uint32 oracle => mapping(address token => Pair)) internal _pairs;
    mapping(uint32 id => PinnedOracle) internal _oracles;
    mapping(address token => uint24) internal _tokenNumbers;
    mapping(uint24 number => address) internal _tokens;
    uint40 internal _providerCount;
    uint24 internal _tokenCount;

    /// @inheritdoc ILeaseEscrow
    mapping(address token => uint256) public liabilities;
    /// @dev Hashes per second of an offer already rented; all ones once the offer is cancelled.
    mapping(bytes32 offerHash => uint96) internal _filled;
    /// @dev Shares a slot with `_wrappedNative`.
    uint96 internal _leaseCount;
    /// @dev Zero until the first payment or withdrawal in native currency.
    address internal _wrappedNative;

    // ---------------------------------------------------------------- views

    /// @inheritdoc ILeaseEscrow
    /// @dev The answer is written as it is encoded: the place of the list, its length, its words.
    function extsload(bytes32[] calldata slots) external view returns (bytes32[] memory) {
        assembly ("memory-safe") {
            let answer := mload(0x40)
            mstore(answer, 0x20)
            mstore(add(answer, 0x20), slots.length)
            let words := add(answer, 0x40)
            let size := shl(5, slots.length)
            for { let i := 0 } lt(i, size) { i := add(i, 0x20) } {
                mstore(add(words, i), sload(calldataload(add(slots.offset, i))))
            }
            return(answer, add(0x40, size))
        }
    }

    /// @inheritdoc ILeaseEscrow
    /// @dev The answer is written as it is encoded. The provider's number stands above the job
    /// signer.
    function quickView(uint256 id) external view returns (Schedule, address, address) {
        Schedule schedule = _meters[id].schedule;
        // a lease's word is not zero, because its rate is not
        require(Schedule.unwrap(schedule) != 0, UnknownLease(id));
        assembly ("memory-safe") {
            mstore(0x00, id)
            mstore(0x20, _particulars.slot)
            let particulars := sload(keccak256(0x00, 0x40))
            mstore(0x00, and(shr(160, particulars), 0xffffffffff))
            mstore(0x20, _providers.slot)
            let provider := sload(keccak256(0x00, 0x40))
            let answer := mload(0x40)
            mstore(answer, schedule)
            mstore(add(answer, 0x20), provider)
            mstore(add(answer, 0x40), shr(96, shl(96, particulars)))
            return(answer, 0x60)
        }
    }

    /// @inheritdoc ILeaseEscrow
    function leaseCount() external view returns (uint256) {
        return _leaseCount;
    }

    /// @inheritdoc ILeaseEscrow
    function balance(address account, address token) external view returns (uint256) {
        return _purses[account][token].purse.balance();
    }

    /// @inheritdoc ILeaseEscrow
    function pinnedOracle(uint32 id) external view returns (Oracle memory oracle) {
        PinnedOracle memory o = _oracles[id];
        (oracle.account, oracle.window, oracle.voids) = (o.account, o.window, o.voids);
        (oracle.payee, oracle.feeBps) = (o.payee, o.feeBps);
        assembly ("memory-safe") {
            // words of a struct in memory are its encoding
            return(oracle, 0x120)
        }
    }

    // ---------------------------------------------------------------- shared lookups

    /// @dev A lease exists if its rate is not zero.
    function _scheduleOf(uint256 id) internal view returns (Schedule schedule) {
        schedule = _meters[id].schedule;
        require(schedule.rate() != 0, UnknownLease(id));
    }

    function _stakes(Schedule schedule, Funds memory funds, Particulars memory particulars)
        internal
        view
        returns (Stakes memory)
    {
        return Stakes({
            payment: funds.payment,
            bondBps: particulars.bondBps,
            cancelBps: particulars.cancelBps,
            voids: _oracles[schedule.oracle()].voids,
            selfAttributed: particulars.jobSigner == _providers[particulars.provider]
        });
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC4907} from "contracts/src/interfaces/IERC4907.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {
    Holding,
    ILeaseLens,
    LeaseView,
    OfferQuery,
    OfferView,
    OracleView,
    SettlementView,
    TokenState
} from "contracts/src/interfaces/ILeaseLens.sol";
import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {Admission, Lease, Limits, Offer} from "contracts/src/interfaces/LeaseTypes.sol";
import {EscrowSlots} from "contracts/src/libraries/EscrowSlots.sol";
import {Fits} from "contracts/src/libraries/Fits.sol";
import {LeaseMath} from "contracts/src/libraries/LeaseMath.sol";
import {LeaseState} from "contracts/src/libraries/LeaseState.sol";
import {OfferLib} from "contracts/src/libraries/OfferLib.sol";
import {Purse} from "contracts/src/libraries/Packed.sol";
import {Split} from "contracts/src/libraries/Settlement.sol";
import {TokenLabel} from "contracts/src/metadata/TokenLabel.sol";
import {EIP712} from "solady/utils/EIP712.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {MetadataReaderLib} from "solady/utils/MetadataReaderLib.sol";

/// @title Reads for pages and nodes
/// @notice No state, no rights. The money is foreseen by the escrow's own arithmetic
/// (`LeaseState.split`), like in the metadata.
contract LeaseLens is ILeaseLens {
    uint96 private constant CANCELLED = type(uint96).max;
    /// @dev Gas that one token may burn in a call about many.
    uint256 private constant TOKEN_GAS = 200_000;

    /// @inheritdoc ILeaseLens
    address public immutable escrow;
    IRegistry private immutable REGISTRY;

    constructor(address escrow_) {
        // the next line reverts for an address without code
        // slither-disable-next-line missing-zero-check
        escrow = escrow_;
        REGISTRY = IRegistry(ILeaseEscrow(escrow_).registry());
    }

    // ---------------------------------------------------------------- leases

    /// @inheritdoc ILeaseLens
    function leases(uint256[] calldata ids) external view returns (LeaseView[] memory views) {
        views = new LeaseView[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            views[i] = _view(ids[i]);
        }
    }

    /// @inheritdoc ILeaseLens
    function leasesFrom(uint256 first, uint256 count) external view returns (LeaseView[] memory views) {
        first = FixedPointMathLib.max(first, 1);
        uint256 past = ILeaseEscrow(escrow).leaseCount() + 1;
        views = new LeaseView[](FixedPointMathLib.min(count, FixedPointMathLib.zeroFloorSub(past, first)));
        for (uint256 i; i < views.length; ++i) {
            views[i] = _view(first + i);
        }
    }

    function _view(uint256 id) private view returns (LeaseView memory v) {
        v.id = id;
        try ILeaseEscrow(escrow).lease(id) returns (Lease memory lease) {
            v.lease = lease;
        } catch {
            return v;
        }
        v.exists = true;
        v.status = LeaseState.status(v.lease);
        v.owner = IERC721(escrow).ownerOf(id);
        v.user = IERC4907(escrow).userOf(id);
        v.userExpires = Fits.u64(IERC4907(escrow).userExpires(id));
        v.committed = Fits.u96(LeaseState.committed(v.lease));
        v.controller = ILeaseEscrow(escrow).controllerOf(id);
        v.oracle = ILeaseEscrow(escrow).pinnedOracle(v.lease.oracle);
        v.settleAfter = uint256(v.lease.end) + v.oracle.window;
        v.released = LeaseMath.released(v.lease.payment, v.lease.credited, v.committed);
        v.settlement = _settlement(v);
        (v.collectable, v.collectableFee) = (v.settlement.amount, v.settlement.fee);
    }

    function _settlement(LeaseView memory v) private view returns (SettlementView memory s) {
        Lease memory l = v.lease;
        Split memory split = LeaseState.split(l, v.oracle.voids);
        (s.refund, s.slashed) = (split.refund, split.slashed);
        (s.bond, s.capacityFee) = (split.bond, split.fee);
        (s.amount, s.fee) = LeaseState.collection(l, v.oracle.feeBps);
        if (l.settled) return s;
        if (v.oracle.voids || l.credited < v.committed) {
            s.from = l.lastAt != 0 ? FixedPointMathLib.min(uint256(l.lastAt) + 1, v.settleAfter) : v.settleAfter;
        }
        s.possible = block.timestamp >= s.from;
    }

    // -------------------------------------------------------- what the escrow has no getter for

    /// @dev A word of the escrow's storage.
    function _word(bytes32 slot) private view returns (uint256) {
        bytes32[] memory slots = new bytes32[](1);
        slots[0] = slot;
        return uint256(ILeaseEscrow(escrow).extsload(slots)[0]);
    }

    /// @inheritdoc ILeaseLens
    function isVoid(uint256 id, uint32 epoch) external view returns (bool) {
        return _word(EscrowSlots.void(id, epoch >> 8)) >> (epoch & 0xff) & 1 == 1;
    }

    /// @inheritdoc ILeaseLens
    function keepsBalance(address account) external view returns (bool) {
        return _word(EscrowSlots.seller(account)) >> 248 != 0;
    }

    /// @inheritdoc ILeaseLens
    function unreconciled(address account, address token) public view returns (uint256) {
        return Purse.wrap(_word(EscrowSlots.purse(account, token))).withdrawn();
    }

    /// @inheritdoc ILeaseLens
    function filled(bytes32 hash) public view returns (uint96) {
        // the slot has nothing else
        return Fits.u96(_word(EscrowSlots.filled(hash)));
    }

    /// @inheritdoc ILeaseLens
    function counter(address provider) public view returns (uint256) {
        return _word(EscrowSlots.seller(provider)) << 8 >> 48;
    }

    /// @inheritdoc ILeaseLens
    function exposure(uint32 oracle, address token) public view returns (uint256) {
        return uint128(_word(EscrowSlots.pair(oracle, token)));
    }

    /// @inheritdoc ILeaseLens
    function wrappedNative() external view returns (address) {
        return address(uint160(_word(EscrowSlots.leaseCount()) >> 96));
    }

    // ---------------------------------------------------------------- accounts

    /// @inheritdoc ILeaseLens
    function balances(address account, address[] calldata tokens) external view returns (Holding[] memory holdings) {
        holdings = new Holding[](tokens.length);
        for (uint256 i; i < tokens.length; ++i) {
            address token = tokens[i];
            holdings[i] = Holding({
                token: token,
                escrowed: ILeaseEscrow(escrow).balance(account, token),
                unreconciled: unreconciled(account, token),
                wallet: _ask(token, abi.encodeCall(IERC20.balanceOf, (account))),
                allowance: _ask(token, abi.encodeCall(IERC20.allowance, (account, escrow)))
            });
        }
    }

    /// @dev Zero when the token does not answer.
    function _ask(address token, bytes memory question) private view returns (uint256) {
        return MetadataReaderLib.readUint(token, question, TOKEN_GAS);
    }

    // ---------------------------------------------------------------- offers

    /// @inheritdoc ILeaseLens
    function offers(OfferQuery[] calldata queries) external view returns (OfferView[] memory views) {
        views = new OfferView[](queries.length);
        for (uint256 i; i < queries.length; ++i) {
            views[i] = _offer(queries[i]);
        }
    }

    function _offer(OfferQuery calldata query) private view returns (OfferView memory v) {
        Offer calldata offer = query.offer;
        v.hash = OfferLib.hash(offer);
        v.filled = filled(v.hash);
        v.cancelled = v.filled == CANCELLED;
        v.remaining = v.cancelled ? 0 : offer.hashRate - v.filled;
        v.counterMatches = counter(offer.provider) == offer.counter;
        v.expired = block.timestamp > offer.expiry;
        v.deposited = ILeaseEscrow(escrow).balance(offer.provider, offer.token);
        v.exposed = exposure(offer.oracle, offer.token);
        try REGISTRY.admit(offer, query.hashRate, query.start, query.duration, query.jobSigner) returns (
            Admission memory admission
        ) {
            (v.admitted, v.admission) = (true, admission);
        } catch (bytes memory reason) {
            v.reason = reason;
            return v;
        }
        v.rentable = v.counterMatches && !v.expired && query.hashRate >= offer.minHashRate
            && query.hashRate <= v.remaining && v.deposited >= v.admission.bond
            && v.exposed + v.admission.payment + v.admission.bond <= v.admission.exposureCap
            && ILeaseEscrow(escrow).liabilities(offer.token) + v.admission.payment <= type(uint128).max;
    }

    /// @inheritdoc ILeaseLens
    function offerHash(Offer calldata offer) external pure returns (bytes32) {
        return OfferLib.hash(offer);
    }

    /// @inheritdoc ILeaseLens
    function offerDigest(Offer calldata offer) external view returns (bytes32) {
        return _digest(OfferLib.hash(offer));
    }

    /// @inheritdoc ILeaseLens
    function offerRootDigest(bytes32 root) external view returns (bytes32) {
        return _digest(OfferLib.hashRoot(root));
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        // the escrow's domain has no extensions; the other fields are not needed
        // slither-disable-next-line unused-return
        (, string memory name, string memory version, uint256 chainId, address contract_,,) =
            EIP712(escrow).eip712Domain();
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256(bytes(version)),
                chainId,
                contract_
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    // ---------------------------------------------------------------- registry

    /// @inheritdoc ILeaseLens
    function oracles() external view returns (OracleView[] memory views) {
        uint32 count = REGISTRY.oracleCount();
        views = new OracleView[](count);
        for (uint32 id = 1; id <= count; ++id) {
            views[id - 1] = OracleView({id: id, oracle: REGISTRY.oracle(id)});
        }
    }

    /// @inheritdoc ILeaseLens
    function tokenStates(address[] calldata tokens) external view returns (TokenState[] memory states) {
        states = new TokenState[](tokens.length);
        for (uint256 i; i < tokens.length; ++i) {
            states[i] = _tokenState(tokens[i]);
        }
    }

    function _tokenState(address token) private view returns (TokenState memory s) {
        s.token = token;
        (s.symbol, s.decimals) = (TokenLabel.symbol(token), TokenLabel.decimals(token));
        s.listed = REGISTRY.isTokenListed(token);
        s.liabilities = ILeaseEscrow(escrow).liabilities(token);
        s.held = _ask(token, abi.encodeCall(IERC20.balanceOf, (escrow)));
        uint32 count = REGISTRY.oracleCount();
        (s.caps, s.leastPayments, s.exposures) = (new uint128[](count), new uint128[](count), new uint256[](count));
        for (uint32 id = 1; id <= count; ++id) {
            Limits memory limits = REGISTRY.limits(id, token);
            (s.caps[id - 1], s.leastPayments[id - 1]) = (limits.exposureCap, limits.leastPayment);
            s.exposures[id - 1] = exposure(id, token);
        }
    }
}

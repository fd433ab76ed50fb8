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
    Settlement,
    TokenState
} from "contracts/src/interfaces/ILeaseLens.sol";
import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {
    Admission,
    ENDING_CANCELLED,
    ENDING_TERMINATED,
    Lease,
    Offer,
    Oracle
} from "contracts/src/interfaces/LeaseTypes.sol";
import {Fits} from "contracts/src/libraries/Fits.sol";
import {LeaseMath} from "contracts/src/libraries/LeaseMath.sol";
import {LeaseState} from "contracts/src/libraries/LeaseState.sol";
import {OfferLib} from "contracts/src/libraries/OfferLib.sol";
import {TokenLabel} from "contracts/src/metadata/TokenLabel.sol";
import {EIP712} from "solady/utils/EIP712.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {MetadataReaderLib} from "solady/utils/MetadataReaderLib.sol";

/// @title Reads for pages and nodes
/// @notice No state, no rights. Predictions use the escrow's own formulas.
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
        if (v.lease.settled) return v;
        (v.collectable, v.collectableFee) = _collectable(v);
        v.settlement = _settlement(v);
    }

    /// @dev Mirrors `LeaseLife._collect`.
    function _collectable(LeaseView memory v) private pure returns (uint256 amount, uint256 fee) {
        uint256 earlier = LeaseMath.released(v.lease.payment, v.lease.collectedWork, v.committed);
        uint256 feeBps = v.oracle.feeBps;
        fee = LeaseMath.portion(v.released, feeBps) - LeaseMath.portion(earlier, feeBps);
        amount = v.released - earlier - fee;
    }

    /// @dev Mirrors `LeaseLife._settle`.
    function _settlement(LeaseView memory v) private view returns (Settlement memory s) {
        Lease memory l = v.lease;
        if (l.credited < v.committed) s.from = l.last ? l.end : v.settleAfter;
        s.possible = block.timestamp >= s.from;
        (s.amount, s.fee) = (v.collectable, v.collectableFee);

        uint256 locked = LeaseMath.portion(l.payment, l.bondBps);
        uint256 ran = l.end - l.start;
        s.refund = l.payment - v.released;
        s.slashed = LeaseMath.slash(locked, l.due, l.credited, v.committed, l.weightLog2);
        if (l.ending == ENDING_CANCELLED) {
            uint256 returned = LeaseMath.returned(l.payment, l.rate, ran, v.committed);
            uint256 fee = LeaseMath.portion(returned, l.cancelBps);
            s.cancelFee = FixedPointMathLib.min(fee, v.released);
            s.refund -= returned - fee + s.cancelFee;
        } else if (l.ending == ENDING_TERMINATED) {
            s.slashed += LeaseMath.termination(locked, l.due, l.rate, ran, l.duration - ran);
        }
        s.slashed = FixedPointMathLib.min(s.slashed, l.bond);
        s.bond = l.bond - s.slashed;
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
                unreconciled: ILeaseEscrow(escrow).unreconciled(account, token),
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
        v.filled = ILeaseEscrow(escrow).filled(v.hash);
        v.cancelled = v.filled == CANCELLED;
        v.remaining = v.cancelled ? 0 : offer.hashRate - v.filled;
        v.counterMatches = ILeaseEscrow(escrow).counter(offer.provider) == offer.counter;
        v.expired = block.timestamp > offer.expiry;
        v.deposited = ILeaseEscrow(escrow).balance(offer.provider, offer.token);
        v.exposed = ILeaseEscrow(escrow).exposure(offer.oracle, offer.token);
        try REGISTRY.admit(offer, query.hashRate, query.duration) returns (Admission memory admission) {
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
        (s.caps, s.exposures) = (new uint128[](count), new uint256[](count));
        for (uint32 id = 1; id <= count; ++id) {
            s.caps[id - 1] = REGISTRY.exposureCap(id, token);
            s.exposures[id - 1] = ILeaseEscrow(escrow).exposure(id, token);
        }
    }
}

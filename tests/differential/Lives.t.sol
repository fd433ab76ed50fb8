// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Lease, Offer, RentRequest, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {Vm} from "forge-std/Vm.sol";
import {Fixture} from "tests/support/Fixture.sol";

/// @notice Whole lives of leases equal those of the plain Rust escrow, step by step:
/// `tests/vectors/lives.jsonl`, written by the escrow model's vector test. The file names its
/// columns. `HASHLEASE_LIVES_FILE` names another file with more lives.
contract LivesDifferential is Fixture {
    uint256 private constant STEP = 19;

    /// @dev Steps of a life, in the order of the file's columns.
    struct Step {
        uint256 now_;
        uint256 what;
        uint256 a;
        uint256 b;
        uint256 c;
        uint256 d;
        uint256 outcome;
        uint256 provider;
        uint256 holder;
        uint256 payee;
        uint256 challenger;
        uint256 credited;
        uint256 due;
        uint256 asOf;
        uint256 end;
        uint256 ending;
        uint256 last;
        uint256 settled;
        uint256 bond;
    }

    /// @dev One that never voids, and one that can.
    address[2] private oracles = [makeAddr("an oracle without a committee"), makeAddr("an oracle that voids")];
    uint32[2] private oracleIds;
    /// @dev The oracle of the life at hand.
    address private oracle;
    address private feePayee = makeAddr("payee of the oracles");
    address private challenger = makeAddr("challenger");
    string private path;
    uint40 private rentedAt;
    uint32 private notice;
    bytes4[13] private refusals;

    function setUp() public override {
        super.setUp();
        path = vm.envOr("HASHLEASE_LIVES_FILE", string("tests/vectors/lives.jsonl"));
        string memory head = vm.readLine(path);
        rentedAt = uint40(vm.parseJsonUint(head, ".rentedAt"));
        notice = uint32(vm.parseJsonUint(head, ".notice"));
        uint32 window = uint32(vm.parseJsonUint(head, ".window"));
        uint16 feeBps = uint16(vm.parseJsonUint(head, ".feeBps"));
        oracleIds =
            [_register(oracles[0], window, feeBps, feePayee), _registerVoiding(oracles[1], window, feeBps, feePayee)];
        _setCap(oracleIds[0], address(token), type(uint128).max);
        _setCap(oracleIds[1], address(token), type(uint128).max);
        refusals[2] = ILeaseEscrow.AlreadySettled.selector;
        refusals[3] = ILeaseEscrow.AsOfInFuture.selector;
        refusals[4] = ILeaseEscrow.AsOfAfterEnd.selector;
        refusals[5] = ILeaseEscrow.AsOfNotEpochEnd.selector;
        refusals[6] = ILeaseEscrow.NothingToCollect.selector;
        refusals[7] = ILeaseEscrow.NotSettleable.selector;
        refusals[8] = ILeaseEscrow.AlreadyEnding.selector;
        refusals[9] = ILeaseEscrow.NothingToShorten.selector;
        refusals[10] = ILeaseEscrow.EpochOutOfBounds.selector;
        refusals[11] = ILeaseEscrow.EpochIsVoid.selector;
        refusals[12] = ILeaseEscrow.OracleNeverVoids.selector;
    }

    function test_EveryLifeOfTheFile_IsLivedTheSame() public {
        uint256 clean = vm.snapshotState();
        uint256 count;
        // the first line names the columns
        vm.closeFile(path);
        vm.readLine(path);
        for (string memory line = vm.readLine(path); bytes(line).length != 0; line = vm.readLine(path)) {
            _live(count++, line);
            vm.revertToState(clean);
        }
        assertGe(count, 120, "no life is left out");
    }

    function _live(uint256 life, string memory line) private {
        uint256[] memory flat = vm.parseJsonUintArray(line, ".steps");
        uint256 id = _rentAs(vm.parseJsonUintArray(line, ".terms"));
        for (uint256 i; i < flat.length; i += STEP) {
            Step memory step;
            assembly ("memory-safe") {
                // the struct's words are the file's columns
                mcopy(step, add(add(flat, 0x20), mul(i, 0x20)), mul(STEP, 0x20))
            }
            string memory where = string.concat("life ", vm.toString(life), ", step ", vm.toString(i / STEP));
            vm.warp(step.now_);
            assertEq(_try(id, step), step.outcome, string.concat(where, ": outcome"));
            _compare(id, step, where);
        }
    }

    function _rentAs(uint256[] memory t) private returns (uint256 id) {
        vm.warp(rentedAt);
        Offer memory o = _offer();
        (o.price, o.bondBps, o.cancelBps) = (uint128(t[0]), uint16(t[2]), uint16(t[3]));
        (o.hashRate, o.minHashRate, o.epochLength, o.oracle) = (uint96(t[4]), 1, uint32(t[6]), oracleIds[t[9]]);
        (o.minDuration, o.maxDuration, o.notice) = (1, 30 days, notice);
        if (t[10] == 1) o.jobSigner = jobSigner;
        oracle = oracles[t[9]];
        o.expiry = uint40(block.timestamp);
        RentRequest memory r = _request();
        (r.hashRate, r.start, r.duration) = (uint96(t[4]), uint40(t[5]), uint32(t[6] * t[7]));
        token.mint(renter, t[1]);
        uint256 bond = t[1] * t[2] / 10_000;
        token.mint(provider.addr, bond);
        vm.prank(provider.addr);
        escrow.deposit(address(token), bond);
        id = _rent(o, r);
        Lease memory l = escrow.lease(id);
        assertEq(l.payment, t[1], "payment");
        assertEq(l.bond, bond, "bond");
        assertEq(l.weightLog2, t[8], "weight");
    }

    /// @dev 0 if nothing changed, 1 if something did; from 2 on, the refusal's place in the list.
    function _try(uint256 id, Step memory step) private returns (uint256) {
        if (step.what == 1) return _tryCredit(id, step);
        bytes memory call;
        address caller = stranger;
        if (step.what == 2) {
            call = abi.encodeCall(ILeaseEscrow.voidEpoch, (id, uint32(step.a), challenger));
            caller = oracle;
        } else if (step.what == 3) {
            call = abi.encodeCall(ILeaseEscrow.collect, (id));
        } else if (step.what == 4) {
            call = abi.encodeCall(ILeaseEscrow.cancel, (id));
            caller = renter;
        } else if (step.what == 5) {
            call = abi.encodeCall(ILeaseEscrow.terminate, (id));
            caller = provider.addr;
        } else {
            call = abi.encodeCall(ILeaseEscrow.settle, (id));
        }
        vm.prank(caller);
        (bool done, bytes memory answer) = address(escrow).call(call);
        // the selector
        // forge-lint: disable-next-line(unsafe-typecast)
        return done ? 1 : _refusal(bytes4(answer));
    }

    function _tryCredit(uint256 id, Step memory step) private returns (uint256) {
        Statement[] memory s = _statements(_entry(id, step.a, step.b, step.c, step.d == 1));
        vm.recordLogs();
        vm.prank(oracle);
        escrow.credit(s);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        if (logs.length == 0) return 0;
        if (logs[0].topics[0] != ILeaseEscrow.CreditSkipped.selector) return 1;
        return _refusal(abi.decode(logs[0].data, (bytes4)));
    }

    function _refusal(bytes4 selector) private view returns (uint256) {
        for (uint256 i = 2; i < refusals.length; ++i) {
            if (refusals[i] == selector) return i;
        }
        return type(uint256).max;
    }

    function _compare(uint256 id, Step memory step, string memory where) private view {
        Lease memory l = escrow.lease(id);
        assertEq(_balance(provider.addr), DEPOSIT + step.provider, string.concat(where, ": provider"));
        assertEq(l.held, step.holder, string.concat(where, ": holder"));
        assertEq(_balance(feePayee), step.payee, string.concat(where, ": payee"));
        assertEq(_balance(challenger), step.challenger, string.concat(where, ": challenger"));
        assertEq(l.credited, step.credited, string.concat(where, ": credited"));
        assertEq(l.due, step.due, string.concat(where, ": due"));
        assertEq(l.asOf, step.asOf, string.concat(where, ": asOf"));
        assertEq(l.end, step.end, string.concat(where, ": end"));
        assertEq(l.ending, step.ending, string.concat(where, ": ending"));
        assertEq(l.lastAt != 0 ? 1 : 0, step.last, string.concat(where, ": last"));
        assertEq(l.settled ? 1 : 0, step.settled, string.concat(where, ": settled"));
        assertEq(l.bond, step.bond, string.concat(where, ": bond"));
    }
}

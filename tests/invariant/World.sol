// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Statement} from "contracts/src/interfaces/ICommitteeOracle.sol";
import {ILeaseEscrow, Lease, Offer, RentRequest} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Vm} from "forge-std/Vm.sol";
import {DemoToken} from "script/DemoToken.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {Books} from "tests/invariant/Books.sol";

/// @title The world that the handlers act in
/// @notice What an action needs it brings about first, so no action of a handler is ever in vain. It notes what it
/// sees and asserts nothing: that is for the invariants.
contract World is Books {
    // ---------------------------------------------------------------- money in and out

    function deposit(uint256 seed) public {
        Account memory who = _providers[_draw(seed, "provider") % 3];
        _deposit(who.addr, tokens[_draw(seed, "token") % 2], _draw(seed, "amount") % 1e12 + 1);
    }

    function _deposit(address who, DemoToken what, uint256 amount) private {
        vm.prank(who);
        escrow.deposit(address(what), amount);
    }

    /// @dev Somebody with a balance.
    function _creditor(uint256 seed) private returns (address, address) {
        address[] memory all = accounts();
        for (uint256 i; i < 2 * all.length; ++i) {
            uint256 at = addmod(seed, i, 2 * all.length);
            address what = address(tokens[at % 2]);
            if (escrow.balance(all[at / 2], what) != 0) return (all[at / 2], what);
        }
        deposit(seed);
        return _creditor(seed);
    }

    function withdraw(uint256 seed) external {
        (address who, address what) = _creditor(_draw(seed, "who"));
        uint256 all = escrow.balance(who, what);
        uint256 amount = _draw(seed, "all") % 4 == 0 ? all : _draw(seed, "amount") % all + 1;
        address to = makeAddr("a purse elsewhere");
        uint256 before = DemoToken(what).balanceOf(to);
        vm.prank(who);
        escrow.withdraw(what, to, amount);
        _expect(DemoToken(what).balanceOf(to), before + amount, "withdrawn");
        _expect(escrow.balance(who, what), all - amount, "debited");
    }

    function pushWithdrawal(uint256 seed) external {
        (address who, address what) = _creditor(_draw(seed, "who"));
        uint256 owed = escrow.balance(who, what);
        uint256 before = DemoToken(what).balanceOf(who);
        vm.prank(stranger);
        escrow.withdrawFor(what, who);
        _expect(DemoToken(what).balanceOf(who), before + owed, "pushed");
    }

    function donate(uint256 seed) external {
        uint256 amount = _draw(seed, "amount") % 1e9;
        donated[seed % 2] += amount;
        vm.prank(stranger);
        require(tokens[seed % 2].transfer(address(escrow), amount));
    }

    // ---------------------------------------------------------------- renting

    /// @dev Any offer that can be filled four times.
    function _newOffer(uint256 seed, Account memory seller) private view returns (Offer memory o) {
        o.provider = seller.addr;
        o.algorithm = uint8(_draw(seed, "algorithm") % 4 + 1);
        o.token = address(tokens[_draw(seed, "token") % 2]);
        o.price = uint128(_draw(seed, "price") % 1e14);
        o.minHashRate = uint96(10 ** (_draw(seed, "rate") % 6 + 9));
        o.hashRate = 8 * o.minHashRate;
        o.epochLength = uint32(_draw(seed, "epoch") % 4 + 1) * 30 minutes;
        o.minDuration = 1 hours;
        o.maxDuration = 30 days;
        o.notice = uint32(_draw(seed, "notice") % 2 hours);
        o.bondBps = uint16(_draw(seed, "bond") % 10_001);
        o.cancelBps = uint16(_draw(seed, "cancel") % (o.bondBps + 1));
        o.oracle = _draw(seed, "oracle") % 2 == 0 ? committeeId : majorityId;
        o.expiry = uint40(block.timestamp + 7 days);
        o.counter = escrow.counter(seller.addr);
        o.salt = seed;
    }

    function rent(uint256 seed) public returns (uint256 id) {
        Account memory seller = _providers[_draw(seed, "provider") % 3];
        Offer memory o = _latest[seller.addr];
        bool isSpent = escrow.filled(escrow.offerHash(o)) + 2 * o.minHashRate > o.hashRate;
        if (isSpent || o.expiry < block.timestamp || o.counter != escrow.counter(seller.addr)) {
            o = _newOffer(seed, seller);
            _latest[seller.addr] = o;
        }
        RentRequest memory r = _request();
        r.recipient = _owners[_draw(seed, "owner") % 3];
        r.hashRate = o.minHashRate + uint96(_draw(seed, "rate") % o.minHashRate);
        r.start = uint40(block.timestamp + o.notice + _draw(seed, "start") % 4 hours);
        r.duration = uint32(_draw(seed, "epochs") % 12 + 2) * o.epochLength;
        bytes memory signature = _signature(seller.key, escrow.offerDigest(o));

        uint256 payment = (uint256(o.price) * r.hashRate * r.duration + 1e21 - 1) / 1e21;
        uint256 bond = payment * o.bondBps / 10_000;
        uint256 deposited = escrow.balance(seller.addr, o.token);
        if (deposited < bond) {
            _deposit(seller.addr, DemoToken(o.token), bond - deposited);
            deposited = bond;
        }
        uint256 purse = DemoToken(o.token).balanceOf(r.recipient);
        vm.prank(r.recipient);
        id = escrow.rent(o, signature, r);
        _expect(DemoToken(o.token).balanceOf(r.recipient), purse - payment, "the payment came in");
        _expect(escrow.balance(seller.addr, o.token), deposited - bond, "the bond is locked");
        Book storage b = _books[id];
        (b.payment, b.bond) = (SafeCastLib.toUint128(payment), SafeCastLib.toUint128(bond));
        b.terms = terms(escrow.lease(id));
    }

    function bumpCounter(uint256 seed) external {
        vm.prank(_providers[_draw(seed, "provider") % 3].addr);
        escrow.bumpCounter();
    }

    function transfer(uint256 seed) external {
        uint256 count = escrow.leaseCount();
        uint256 id = count == 0 ? rent(seed) : seed % count + 1;
        address owner = escrow.ownerOf(id);
        vm.prank(owner);
        escrow.transferFrom(owner, _owners[_draw(seed, "to") % 3], id);
    }

    // ---------------------------------------------------------------- credit

    function passTime(uint256 seed) external {
        vm.warp(block.timestamp + _draw(seed, "seconds") % 3 hours + 1);
    }

    function _until(uint256 time) private {
        if (block.timestamp < time) vm.warp(time);
    }

    function _any(uint256 seed, function(Lease memory) view returns (bool) wanted) private returns (uint256 id) {
        id = _find(seed, wanted);
        if (id == 0) id = rent(seed);
    }

    /// @dev Any figures at the end of a random epoch that is over; sometimes far more than can be true.
    function _say(uint256 seed, uint256 id) private view returns (Statement memory s) {
        Lease memory l = escrow.lease(id);
        uint256 over = (block.timestamp < l.end ? block.timestamp : l.end) - l.start;
        uint256 epochs = _draw(seed, "epoch") % (over / l.epochLength) + 1;
        uint256 promised = uint256(l.rate) * epochs * l.epochLength;
        s.lease = id;
        s.asOf = SafeCastLib.toUint40(l.start + epochs * l.epochLength);
        s.work = uint96(_draw(seed, "work") % (promised * 3 / 2) + 1);
        s.due = uint96(_draw(seed, "due") % (promised * 3 / 2));
        if (_draw(seed, "lie") % 16 == 0) s.work = type(uint96).max;
        if (_draw(seed, "wrong") % 16 == 0) s.due = type(uint96).max;
        s.evidence = bytes32(seed);
        s.last = _draw(seed, "last") % 4 == 0;
    }

    /// @dev Signed by as many members as it takes. Entries of other committees' leases are skipped.
    function _submit(uint32 oracleId, Statement[] memory s) private returns (uint256 skipped) {
        bool byAll = oracleId == committeeId;
        bytes memory signatures = byAll ? _signatures(committee, s, 0, 3) : _signatures(majority, s, 1, 3);
        vm.recordLogs();
        vm.prank(stranger);
        if (byAll) committee.submit(s, signatures);
        else majority.submit(s, signatures);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == ILeaseEscrow.CreditSkipped.selector) ++skipped;
        }
    }

    function _note(Statement memory s) private {
        Book storage b = _books[s.lease];
        if (s.work > b.stated) b.stated = s.work;
        if (s.due > b.statedDue) b.statedDue = s.due;
    }

    function credit(uint256 seed) external {
        uint256 id = _any(seed, _isCreditable);
        Lease memory l = escrow.lease(id);
        _until(l.start + l.epochLength);
        Statement[] memory s = new Statement[](2);
        (s[0], s[1]) = (_say(seed, id), _say(_draw(seed, "second"), id));
        _note(s[0]);
        _note(s[1]);
        _expect(_submit(l.oracle, s), 0, "a good statement is never skipped");
    }

    function sayLast(uint256 seed) external {
        uint256 id = _any(seed, _isUnsaid);
        Lease memory l = escrow.lease(id);
        _until(l.end);
        Statement[] memory s = _statements(_say(seed, id));
        (s[0].asOf, s[0].last) = (l.end, true);
        _note(s[0]);
        _expect(_submit(l.oracle, s), 0, "a good statement is never skipped");
        _expect(escrow.lease(id).last ? 1 : 0, 1, "last");
    }

    /// @notice A batch in which all is wrong but the middle.
    function creditBadly(uint256 seed) external {
        uint256 id = _any(seed, _isRunning);
        Lease memory l = escrow.lease(id);
        _until(l.start + l.epochLength);
        bool byAll = l.oracle == committeeId;
        uint256 foreign = _find(seed, byAll ? _isOfMajority : _isOfCommittee);
        uint256 settled = _find(seed, byAll ? _isSettledOfCommittee : _isSettledOfMajority);
        Statement[] memory s = new Statement[](6);
        for (uint256 i; i < 6; ++i) {
            s[i] = _say(_draw(seed, vm.toString(i)), id);
        }
        s[0].lease = foreign == 0 ? escrow.leaseCount() + 1 : foreign;
        s[1].asOf = l.end + l.epochLength;
        s[2].asOf = l.start;
        _note(s[3]);
        s[4].asOf += 1;
        s[5].lease = settled;
        if (settled != 0) s[5].asOf = escrow.lease(settled).end;
        (s[5].work, s[5].due, s[5].last) = (type(uint96).max, type(uint96).max, true);
        _expect(_submit(l.oracle, s), 5, "bad statements are skipped");
    }

    // ---------------------------------------------------------------- collect and settle

    /// @dev Books what the events of one call say, and checks it against what the balances say.
    function _enter(uint256 id, Lease memory l, Purse memory before) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        Book storage b = _books[id];
        Purse memory moved;
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == ILeaseEscrow.Collected.selector) {
                (, uint256 amount, uint256 fee) = abi.decode(logs[i].data, (uint96, uint256, uint256));
                (moved.provider, moved.payee) = (amount, fee);
                b.earned += SafeCastLib.toUint128(amount);
                b.fees += SafeCastLib.toUint128(fee);
            } else if (logs[i].topics[0] == ILeaseEscrow.Settled.selector) {
                (b.refund, b.slashed, b.bondBack) = abi.decode(logs[i].data, (uint128, uint128, uint128));
                moved.provider += b.bondBack;
                moved.owner = b.refund + b.slashed;
            }
        }
        Purse memory now_ = _purse(id, l);
        _expect(now_.provider - before.provider, moved.provider, "provider's balance");
        _expect(now_.payee - before.payee, moved.payee, "payee's balance");
        _expect(now_.owner - before.owner, moved.owner, "owner's balance");
    }

    function collect(uint256 seed) external {
        _collect(_toCollect(seed));
    }

    function _toCollect(uint256 seed) private returns (uint256 id) {
        id = _find(seed, _isCollectable);
        if (id != 0) return id;
        id = rent(seed);
        Lease memory l = escrow.lease(id);
        _until(l.start + l.epochLength);
        Statement memory s = _say(seed, id);
        _note(s);
        _submit(l.oracle, _statements(s));
    }

    function _collect(uint256 id) private {
        Lease memory l = escrow.lease(id);
        Purse memory before = _purse(id, l);
        vm.recordLogs();
        vm.prank(stranger);
        escrow.collect(id);
        _enter(id, l, before);
    }

    function settle(uint256 seed) external {
        _settle(_toSettle(seed));
    }

    function _toSettle(uint256 seed) private returns (uint256 id) {
        id = _find(seed, _isSettleable);
        if (id != 0) return id;
        id = _any(seed, _isOpen);
        Lease memory l = escrow.lease(id);
        _until(l.end + escrow.oracle(l.oracle).window);
    }

    function _settle(uint256 id) private {
        Lease memory l = escrow.lease(id);
        Purse memory before = _purse(id, l);
        vm.recordLogs();
        vm.prank(stranger);
        escrow.settle(id);
        _enter(id, l, before);
        _books[id].end = keccak256(abi.encode(escrow.lease(id)));
        _seen[id].settled = true;
    }

    // ---------------------------------------------------------------- governor

    /// @notice Everything is closed, and what is open goes on all the same.
    function freeze(uint256 seed) external {
        uint256 due = _toCollect(seed);
        uint256 over = _toSettle(seed);
        _switch(false, 0);
        if (seed % 3 == 0) _collect(due);
        if (seed % 3 == 1) _settle(over);
        if (seed % 3 == 2) pushAll();
        _switch(true, type(uint128).max);
    }

    function _switch(bool listed, uint256 cap) private {
        for (uint256 t; t < 2; ++t) {
            escrow.listToken(address(tokens[t]), listed);
            escrow.setExposureCap(committeeId, address(tokens[t]), cap);
            escrow.setExposureCap(majorityId, address(tokens[t]), cap);
        }
        escrow.listOracle(committeeId, listed);
        escrow.listOracle(majorityId, listed);
    }

    // ---------------------------------------------------------------- stranger

    /// @notice Everything that a stranger, or anybody at the wrong time, must not get done.
    function intrude(uint256 seed) external {
        if (escrow.leaseCount() == 0) rent(seed);
        uint256 id = seed % escrow.leaseCount() + 1;
        Lease memory l = escrow.lease(id);
        bytes32 before = keccak256(abi.encode(l));
        address owner = escrow.ownerOf(id);
        vm.startPrank(stranger);
        _forbidden("transfer", abi.encodeWithSignature("transferFrom(address,address,uint256)", owner, stranger, id));
        uint256 own = escrow.balance(stranger, l.token);
        _forbidden("withdraw", abi.encodeCall(escrow.withdraw, (l.token, stranger, own + 1)));
        _forbidden("list", abi.encodeCall(escrow.listToken, (stranger, true)));
        _forbidden("delist", abi.encodeCall(escrow.listOracle, (committeeId, false)));
        _forbidden("cap", abi.encodeCall(escrow.setExposureCap, (committeeId, l.token, 0)));
        _forbidden("register", abi.encodeCall(escrow.registerOracle, (stranger, 1 days, 0, stranger)));
        if (!_isSettleable(l)) _forbidden("settle", abi.encodeCall(escrow.settle, (id)));
        if (!_isCollectable(l)) _forbidden("collect", abi.encodeCall(escrow.collect, (id)));
        Offer memory o = _newOffer(seed, _providers[0]);
        bytes memory forged = _signature(_providers[1].key, escrow.offerDigest(o));
        RentRequest memory r = _request();
        (r.hashRate, r.start, r.duration) = (o.minHashRate, uint40(block.timestamp + o.notice), 2 * o.epochLength);
        _forbidden("rent", abi.encodeCall(escrow.rent, (o, forged, r)));
        // a credit of his own is not refused but skipped
        escrow.credit(_single(_entry(id, l.end, type(uint96).max, type(uint96).max, true)));
        vm.stopPrank();
        if (keccak256(abi.encode(escrow.lease(id))) != before) intrusions.push("credit");
        if (escrow.ownerOf(id) != owner) intrusions.push("owner");
    }

    function _forbidden(string memory what, bytes memory data) private {
        (bool isAccepted,) = address(escrow).call(data);
        if (isAccepted) intrusions.push(what);
        else ++_actions[_indexOf[msg.sig] - 1].refused;
    }

    // ---------------------------------------------------------------- the end

    /// @notice After every deadline, with oracles silent and everything delisted, everybody gets out.
    function windUp() external {
        _switch(false, 0);
        uint256 count = escrow.leaseCount();
        for (uint256 id = 1; id <= count; ++id) {
            Lease memory l = escrow.lease(id);
            if (l.settled) continue;
            _until(l.end + escrow.oracle(l.oracle).window);
            _settle(id);
        }
        pushAll();
    }

    function pushAll() public {
        address[] memory all = accounts();
        for (uint256 t; t < 2; ++t) {
            for (uint256 i; i < all.length; ++i) {
                escrow.withdrawFor(address(tokens[t]), all[i]);
            }
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Lease, Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {ERC20} from "solady/tokens/ERC20.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {Purses} from "tests/invariant/Purses.sol";

/// @title Offers, renting, and the rights of a lease's owner
abstract contract Rents is Purses {
    bytes32 private constant PERMIT =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    struct Deal {
        Offer offer;
        RentRequest request;
        Account seller;
        Account payer;
        uint256 payment;
        uint256 bond;
    }

    // ---------------------------------------------------------------- offers

    /// @dev An offer that can be filled four times.
    function _newOffer(uint256 seed, address seller) internal view returns (Offer memory o) {
        o.provider = seller;
        o.algorithm = uint8(_draw(seed, "algorithm") % 4 + 1);
        o.token = address(tokens[_draw(seed, "token") % TOKENS]);
        o.price = uint128(_draw(seed, "price") % 1e14);
        o.minHashRate = uint96(10 ** (_draw(seed, "rate") % 6 + 9));
        o.hashRate = 8 * o.minHashRate;
        o.epochLength = uint32(_draw(seed, "epoch") % 4 + 1) * 30 minutes;
        o.minDuration = 1 hours;
        o.maxDuration = 30 days;
        o.notice = uint32(_draw(seed, "notice") % 119 minutes + 1 minutes);
        o.bondBps = uint16(_draw(seed, "bond") % 10_001);
        o.cancelBps = uint16(_draw(seed, "cancel") % (o.bondBps + 1));
        o.oracle = _oracleIds[_draw(seed, "oracle") % ORACLES];
        if (_draw(seed, "signer") % 3 == 0) o.jobSigner = jobSigner;
        o.expiry = uint40(block.timestamp + 7 days);
        o.counter = lens.counter(seller);
        // no two are alike, even with one seed
        o.salt = _draw(seed, vm.toString(_fills.length));
    }

    /// @dev The provider's latest offer while it can be filled, else a new one.
    function _openOffer(uint256 seed, address seller) internal returns (Offer memory o) {
        o = _latest[seller];
        uint256 used = lens.filled(lens.offerHash(o));
        bool isSpent = used + 2 * uint256(o.minHashRate) > o.hashRate;
        if (isSpent || o.expiry < block.timestamp || o.counter != lens.counter(seller)) {
            o = _newOffer(seed, seller);
            _latest[seller] = o;
        }
    }

    function _fillOf(Offer memory o) private returns (Fill storage fill) {
        bytes32 hash = lens.offerHash(o);
        if (_fillAt[hash] == 0) {
            fill = _fills.push();
            (fill.offerHash, fill.offered) = (hash, o.hashRate);
            _fillAt[hash] = _fills.length;
        }
        return _fills[_fillAt[hash] - 1];
    }

    /// @dev Signed alone, or as one of two or four by a root.
    function _signed(uint256 seed, Offer memory o, uint256 key)
        private
        view
        returns (bytes memory signature, bytes32[] memory proof)
    {
        proof = new bytes32[](_draw(seed, "siblings") % 3);
        if (proof.length == 0) return (_signature(key, lens.offerDigest(o)), proof);
        bytes32 node = keccak256(abi.encode(lens.offerHash(o)));
        for (uint256 i; i < proof.length; ++i) {
            proof[i] = keccak256(abi.encode(seed, i));
            node = _pairOf(node, proof[i]);
        }
        signature = _signature(key, lens.offerRootDigest(node));
    }

    function _pairOf(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    function bumpCounter(uint256 seed) external {
        address who = _providers[_draw(seed, "provider") % 3].addr;
        uint256 before = lens.counter(who);
        vm.prank(who);
        escrow.bumpCounter();
        _expect(lens.counter(who), before + 1, "counter");
    }

    function cancelOffer(uint256 seed) external {
        address who = _providers[_draw(seed, "provider") % 3].addr;
        Offer memory o = _openOffer(seed, who);
        _fillOf(o).cancelled = true;
        vm.prank(who);
        escrow.cancelOffer(o);
    }

    // ---------------------------------------------------------------- renting

    function rent(uint256 seed) public returns (uint256) {
        Account memory seller = _providers[_draw(seed, "provider") % 3];
        return _rentOut(seed, _deal(seed, seller, _openOffer(seed, seller.addr)), false);
    }

    /// @notice Without an allowance, with the permit in the same batch.
    function rentWithPermit(uint256 seed) external {
        Account memory seller = _providers[_draw(seed, "provider") % 3];
        _rentOut(seed, _deal(seed, seller, _openOffer(seed, seller.addr)), true);
    }

    function rentOfRogue(uint256 seed) public returns (uint256) {
        Account memory seller = _providers[_draw(seed, "provider") % 3];
        Offer memory o = _newOffer(seed, seller.addr);
        o.oracle = _oracleIds[2];
        return _rentOut(seed, _deal(seed, seller, o), false);
    }

    /// @notice Starts where the old one ends.
    /// @dev A lease whose end gives notice.
    function _toRenew(uint256 seed) private returns (uint256) {
        uint256 count = escrow.leaseCount();
        for (uint256 i; i < count; ++i) {
            uint256 id = addmod(seed, i, count) + 1;
            Lease memory l = escrow.lease(id);
            if (_isRenewable(l)) return id;
        }
        return rent(seed);
    }

    function renew(uint256 seed) external {
        uint256 old = _toRenew(seed);
        Lease memory l = escrow.lease(old);
        _timeIs(l.start);
        // not before the room for the start reaches the old end
        _timeIs(l.end - 24 hours);
        Account memory seller = _providers[0];
        for (uint256 i = 1; i < 3; ++i) {
            if (_providers[i].addr == l.provider) seller = _providers[i];
        }
        Offer memory o = _newOffer(seed, seller.addr);
        (o.algorithm, o.hashRate, o.minHashRate, o.notice) = (l.algorithm, l.rate, l.rate / 2, 1 minutes);
        Deal memory d = _deal(seed, seller, o);
        (d.request.start, d.request.continues, d.request.recipient) = (l.end, old, holder[old]);
        for (uint256 i; i < 3; ++i) {
            if (_owners[i].addr == holder[old]) d.payer = _owners[i];
        }
        _rentOut(seed, d, false);
    }

    function _deal(uint256 seed, Account memory seller, Offer memory o) private view returns (Deal memory d) {
        (d.offer, d.seller, d.payer) = (o, seller, _owners[_draw(seed, "payer") % 3]);
        RentRequest memory r = _request();
        r.recipient = _owners[_draw(seed, "owner") % 3].addr;
        r.hashRate = o.minHashRate + uint96(_draw(seed, "rate") % o.minHashRate);
        r.start = uint40(block.timestamp + o.notice + _draw(seed, "start") % 4 hours);
        r.duration = uint32(_draw(seed, "epochs") % 12 + 2) * o.epochLength;
        d.request = r;
    }

    function _rentOut(uint256 seed, Deal memory d, bool byPermit) private returns (uint256 id) {
        _reopen();
        // the amounts, computed once more
        uint256 hashes = uint256(d.request.hashRate) * d.request.duration;
        d.payment = (uint256(d.offer.price) * hashes + 1e21 - 1) / 1e21;
        d.bond = d.payment * d.offer.bondBps / 10_000;
        d.request.maxPayment = SafeCastLib.toUint128(d.payment);
        ERC20 what = ERC20(d.offer.token);
        uint256 deposited = escrow.balance(d.seller.addr, d.offer.token);
        if (deposited < d.bond) {
            _depositAs(d.seller.addr, what, d.bond - deposited, 0);
            deposited = d.bond;
        }
        uint256 held = what.balanceOf(address(escrow));
        uint256 wealth = what.balanceOf(d.payer.addr) + d.payer.addr.balance;
        if (byPermit) _callWithPermit(seed, d, what);
        else _call(seed, d);
        id = escrow.leaseCount();
        _expect(what.balanceOf(d.payer.addr) + d.payer.addr.balance, wealth - d.payment, "the payer pays");
        _expect(what.balanceOf(address(escrow)), held + d.payment, "the payment came in");
        _expect(escrow.balance(d.seller.addr, d.offer.token), deposited - d.bond, "the bond is locked");
        _book(id, d);
    }

    function _call(uint256 seed, Deal memory d) private {
        (bytes memory signature, bytes32[] memory proof) = _signed(seed, d.offer, d.seller.key);
        bool isNative = d.offer.token == address(_wrapped) && _draw(seed, "native") % 2 == 0;
        vm.prank(d.payer.addr);
        escrow.rent{value: isNative ? d.payment : 0}(d.offer, signature, proof, d.request);
    }

    function _callWithPermit(uint256 seed, Deal memory d, ERC20 what) private {
        (bytes memory signature, bytes32[] memory proof) = _signed(seed, d.offer, d.seller.key);
        bytes[] memory calls = new bytes[](2);
        calls[0] = _permit(d.payer, what, d.payment);
        calls[1] = abi.encodeCall(escrow.rent, (d.offer, signature, proof, d.request));
        vm.startPrank(d.payer.addr);
        what.approve(address(escrow), 0);
        escrow.batch(calls, true);
        _expect(what.allowance(d.payer.addr, address(escrow)), 0, "the permit was used up");
        what.approve(address(escrow), type(uint256).max);
        vm.stopPrank();
    }

    function _permit(Account memory payer, ERC20 what, uint256 amount) private view returns (bytes memory) {
        bytes32 permitted = keccak256(
            abi.encode(PERMIT, payer.addr, address(escrow), amount, what.nonces(payer.addr), block.timestamp)
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", what.DOMAIN_SEPARATOR(), permitted));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(payer.key, digest);
        return abi.encodeCall(escrow.permit, (address(what), amount, block.timestamp, v, r, s));
    }

    function _book(uint256 id, Deal memory d) private {
        _enter();
        Lease memory l = escrow.lease(id);
        _expect(uint160(holder[id]), uint160(d.request.recipient), "the recipient holds the lease");
        _expect(uint160(l.provider), uint160(d.offer.provider), "provider");
        _expect(uint160(l.token), uint160(d.offer.token), "token");
        _expect(l.oracle, d.offer.oracle, "oracle");
        _expect(l.payment, d.payment, "payment");
        _expect(l.bond, d.bond, "bond");
        _expect(uint256(l.rate) * l.duration, uint256(d.request.hashRate) * d.request.duration, "committed");
        _expect(l.end - l.start, d.request.duration, "duration");
        _books[id].rented = l;
        entitled[l.provider][l.token] -= d.bond;
        _fillOf(d.offer).rented += d.request.hashRate;
    }

    function _any(uint256 seed, function(Lease memory) view returns (bool) wanted) internal returns (uint256 id) {
        id = _find(seed, wanted);
        if (id == 0) id = rent(seed);
    }

    // ---------------------------------------------------------------- the token

    function transfer(uint256 seed) external {
        uint256 count = escrow.leaseCount();
        uint256 id = count == 0 ? rent(seed) : seed % count + 1;
        address owner = holder[id];
        address to = _owners[_draw(seed, "to") % 3].addr;
        if (_draw(seed, "by") % 2 == 0) {
            vm.prank(owner);
            escrow.approve(_clerk, id);
            vm.prank(_clerk);
        } else {
            vm.prank(owner);
        }
        escrow.transferFrom(owner, to, id);
    }

    /// @notice Sometimes one that has expired already.
    function setUser(uint256 seed) public {
        uint256 count = escrow.leaseCount();
        uint256 id = count == 0 ? rent(seed) : seed % count + 1;
        uint64 expires = uint64(block.timestamp - 10 minutes + _draw(seed, "expires") % 8 hours);
        vm.prank(holder[id]);
        escrow.setUser(id, _users[_draw(seed, "user") % 2], expires);
    }

    function setBoxes(uint256 seed) external {
        uint256 id = _any(seed, _isOpen);
        _hear();
        vm.prank(_controller(id));
        escrow.setBoxes(id, bytes("node"), bytes("gateway"));
        _expect(_hear().boxes, 1, "new boxes");
    }

    function _controller(uint256 id) internal view returns (address) {
        User memory u = user[id];
        return u.account != address(0) && block.timestamp <= u.expires ? u.account : holder[id];
    }
}

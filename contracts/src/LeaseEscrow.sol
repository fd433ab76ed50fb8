// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Registry} from "contracts/src/Registry.sol";
import {Bounds, Credit, ILeaseEscrow, Offer, Oracle, RentRequest} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {LeaseMath} from "contracts/src/libraries/LeaseMath.sol";
import {OfferLib} from "contracts/src/libraries/OfferLib.sol";
import {ERC721} from "solady/tokens/ERC721.sol";
import {EIP712} from "solady/utils/EIP712.sol";
import {LibString} from "solady/utils/LibString.sol";
import {ReentrancyGuardTransient} from "solady/utils/ReentrancyGuardTransient.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";
import {SignatureCheckerLib} from "solady/utils/SignatureCheckerLib.sol";

/// @title The escrow of hash power leases
/// @notice No upgrade, no owner, no way to touch an open lease but the rules below. `liabilities` changes only when
/// tokens come in or go out; everything else moves money inside.
contract LeaseEscrow is Registry, ERC721, EIP712, ReentrancyGuardTransient {
    uint256 private constant MAX_BOX = 512;
    uint256 private constant MAX_BATCH = 100;
    uint256 private constant MAX_EPOCHS = 8192;
    uint256 private constant MAX_AHEAD = 24 hours;
    uint16 private constant MAX_BPS = 10_000;

    /// @param authority OpenZeppelin AccessManager of the governor.
    /// @param bounds_ What can be rented and registered; never changes.
    constructor(address authority, Bounds memory bounds_) Registry(authority, bounds_) {}

    // ---------------------------------------------------------------- money in and out

    /// @inheritdoc ILeaseEscrow
    function deposit(address token, uint256 amount) external nonReentrant {
        require(_tokenEntries[token].listed, TokenNotListed(token));
        _balances[msg.sender][token] += amount;
        liabilities[token] += amount;
        emit Deposited(msg.sender, token, amount);
        _pull(token, amount);
    }

    /// @inheritdoc ILeaseEscrow
    function withdraw(address token, address to, uint256 amount) external nonReentrant {
        _withdraw(msg.sender, token, to, amount);
    }

    /// @inheritdoc ILeaseEscrow
    function withdrawFor(address token, address account) external nonReentrant {
        _withdraw(account, token, account, _balances[account][token]);
    }

    function _withdraw(address account, address token, address to, uint256 amount) private {
        require(to != address(0), ZeroAddress());
        _debit(account, token, amount);
        liabilities[token] -= amount;
        emit Withdrawn(account, token, to, amount);
        SafeTransferLib.safeTransfer(token, to, amount);
    }

    function _debit(address account, address token, uint256 amount) private {
        uint256 available = _balances[account][token];
        require(available >= amount, InsufficientBalance(available, amount));
        unchecked {
            _balances[account][token] = available - amount;
        }
    }

    /// @dev Exactly `amount` must arrive: tokens that take a fee can't be used.
    function _pull(address token, uint256 amount) private {
        uint256 before = SafeTransferLib.balanceOf(token, address(this));
        SafeTransferLib.safeTransferFrom(token, msg.sender, address(this), amount);
        uint256 arrived = SafeTransferLib.balanceOf(token, address(this)) - before;
        require(arrived == amount, InexactTransfer(amount, arrived));
    }

    // ---------------------------------------------------------------- renting

    /// @inheritdoc ILeaseEscrow
    function rent(Offer calldata offer, bytes calldata signature, RentRequest calldata request)
        external
        nonReentrant
        returns (uint256 id)
    {
        bytes32 hash = _checkOffer(offer, signature);
        _checkRequest(offer, request);
        _fill(hash, offer, request.hashRate);

        uint256 payment;
        uint8 log2;
        (payment, log2) = _price(offer, request);
        uint256 bond = LeaseMath.portion(payment, offer.bondBps);
        _debit(offer.provider, offer.token, bond);
        _expose(offer.oracle, offer.token, payment + bond);
        liabilities[offer.token] += payment;

        id = ++leaseCount;
        _schedules[id] = Schedule({
            rate: request.hashRate,
            start: request.start,
            end: request.start + request.duration,
            duration: request.duration,
            oracle: offer.oracle,
            weightLog2: log2,
            algorithm: offer.algorithm
        });
        // `_price` bounds the payment to 128 bits, and a bond is at most the payment
        // forge-lint: disable-next-line(unsafe-typecast)
        _funds[id] = Funds({payment: uint128(payment), bond: uint128(bond)});
        _sellers[id] = Seller({provider: offer.provider, collectedWork: 0});
        _particulars[id] = Particulars({
            jobSigner: request.jobSigner,
            tokenId: _tokenEntries[offer.token].id,
            epochLength: offer.epochLength,
            cancelBps: offer.cancelBps,
            bondBps: offer.bondBps
        });
        _mint(request.recipient, id);
        emit Rented(id, offer.provider, request.jobSigner, hash, msg.sender, request.recipient, request.continues);
        emit Boxes(id, request.nodeBox, request.gatewayBox);
        _pull(offer.token, payment);
    }

    /// @dev Everything about an offer that does not depend on who fills it.
    function _checkOffer(Offer calldata offer, bytes calldata signature) private view returns (bytes32 hash) {
        require(block.timestamp <= offer.expiry, OfferExpired(offer.expiry, block.timestamp));
        uint256 current = counter[offer.provider];
        require(offer.counter == current, CounterMismatch(current, offer.counter));
        require(offer.algorithm != 0 && offer.algorithm <= 4, UnknownAlgorithm(offer.algorithm));
        require(_tokenEntries[offer.token].listed, TokenNotListed(offer.token));
        require(_oracles[offer.oracle].listed, OracleNotListed(offer.oracle));
        require(
            offer.epochLength >= MIN_EPOCH && offer.epochLength <= MAX_EPOCH,
            EpochLengthOutOfBounds(MIN_EPOCH, MAX_EPOCH, offer.epochLength)
        );
        require(offer.notice <= MAX_NOTICE, NoticeOutOfBounds(MAX_NOTICE, offer.notice));
        require(offer.bondBps <= MAX_BPS, BondBpsOutOfBounds(MAX_BPS, offer.bondBps));
        require(offer.cancelBps <= offer.bondBps, CancelBpsOutOfBounds(offer.bondBps, offer.cancelBps));
        hash = OfferLib.hash(offer);
        require(
            SignatureCheckerLib.isValidSignatureNowCalldata(offer.provider, _hashTypedData(hash), signature),
            InvalidSignature(offer.provider)
        );
    }

    function _checkRequest(Offer calldata offer, RentRequest calldata request) private view {
        require(request.recipient != address(0), RecipientIsZero());
        require(request.nodeBox.length <= MAX_BOX, BoxTooLong(MAX_BOX, request.nodeBox.length));
        require(request.gatewayBox.length <= MAX_BOX, BoxTooLong(MAX_BOX, request.gatewayBox.length));
        require(
            request.jobSigner != address(0) && (offer.jobSigner == address(0) || offer.jobSigner == request.jobSigner),
            JobSignerMismatch(offer.jobSigner, request.jobSigner)
        );
        uint256 shortest = offer.minDuration > MIN_DURATION ? offer.minDuration : MIN_DURATION;
        uint256 longest = offer.maxDuration < MAX_DURATION ? offer.maxDuration : MAX_DURATION;
        require(
            request.duration >= shortest && request.duration <= longest,
            DurationOutOfBounds(shortest, longest, request.duration)
        );
        require(request.duration % offer.epochLength == 0, DurationNotWholeEpochs(offer.epochLength, request.duration));
        uint256 epochs = request.duration / offer.epochLength;
        require(epochs <= MAX_EPOCHS, TooManyEpochs(MAX_EPOCHS, epochs));

        uint256 earliest = block.timestamp + offer.notice;
        uint256 latest = earliest + MAX_AHEAD;
        if (request.continues != 0) {
            // a renewal starts where the old lease ends, and needs no notice
            uint256 end = _scheduleOf(request.continues).end;
            require(_sellers[request.continues].provider == offer.provider, NotARenewal(request.continues));
            require(request.start == end, StartOutOfBounds(end, end, request.start));
            earliest = block.timestamp;
        }
        require(request.start >= earliest && request.start <= latest, StartOutOfBounds(earliest, latest, request.start));
    }

    function _fill(bytes32 hash, Offer calldata offer, uint96 hashRate) private {
        require(hashRate != 0 && hashRate >= offer.minHashRate, HashRateBelowMinimum(offer.minHashRate, hashRate));
        uint96 used = filled[hash];
        // a signed rate never shrinks, and no fill goes beyond it
        uint96 remaining = offer.hashRate - used;
        require(hashRate <= remaining, OfferExhausted(remaining, hashRate));
        filled[hash] = used + hashRate;
    }

    function _price(Offer calldata offer, RentRequest calldata request)
        private
        pure
        returns (uint256 payment, uint8 log2)
    {
        uint256 committed = uint256(request.hashRate) * request.duration;
        require(committed <= type(uint96).max, WorkOverflow(committed));
        (uint256 exponent, uint256 smallest) =
            LeaseMath.weightLog2(request.hashRate, offer.epochLength, request.duration);
        require(smallest != 0, LeaseTooSmall(committed));
        payment = LeaseMath.payment(offer.price, committed);
        require(payment <= request.maxPayment, PaymentAboveMaximum(request.maxPayment, payment));
        // log2 of what fits 96 bits
        // forge-lint: disable-next-line(unsafe-typecast)
        log2 = uint8(exponent);
    }

    function _expose(uint32 oracleId, address token, uint256 amount) private {
        Exposure storage found = _exposure[oracleId][token];
        uint256 used = found.used + amount;
        require(used <= found.cap, ExposureCapExceeded(found.cap, used));
        // a cap has 128 bits
        // forge-lint: disable-next-line(unsafe-typecast)
        found.used = uint128(used);
    }

    /// @inheritdoc ILeaseEscrow
    function bumpCounter() external returns (uint256 current) {
        current = ++counter[msg.sender];
        emit CounterBumped(msg.sender, current);
    }

    // ---------------------------------------------------------------- credit

    /// @inheritdoc ILeaseEscrow
    function credit(Credit[] calldata credits) external {
        uint256 count = credits.length;
        require(count <= MAX_BATCH, BatchTooLong(MAX_BATCH, count));
        for (uint256 i; i < count; ++i) {
            bytes4 refused = _credit(credits[i]);
            if (refused != 0) emit CreditSkipped(credits[i].lease, refused);
        }
    }

    /// @dev Zero, or the selector of the error that tells why the entry was skipped.
    function _credit(Credit calldata entry) private returns (bytes4) {
        Schedule memory schedule = _schedules[entry.lease];
        if (schedule.rate == 0) return UnknownLease.selector;
        if (_oracles[schedule.oracle].account != msg.sender) return NotLeaseOracle.selector;
        Progress memory progress = _progress[entry.lease];
        if (progress.settled) return AlreadySettled.selector;
        if (entry.asOf > block.timestamp) return AsOfInFuture.selector;
        if (entry.asOf > schedule.end) return AsOfAfterEnd.selector;
        if (entry.asOf <= schedule.start) return AsOfNotEpochEnd.selector;
        uint256 elapsed = entry.asOf - schedule.start;
        if (elapsed % _particulars[entry.lease].epochLength != 0) return AsOfNotEpochEnd.selector;

        uint256 committed = uint256(schedule.rate) * schedule.duration;
        uint256 work = _min(entry.work, LeaseMath.creditCap(schedule.rate, elapsed, committed));
        uint256 due = _min(entry.due, uint256(schedule.rate) * elapsed);
        bool changed;
        // both are at most an entry's 96 bits
        if (work > progress.credited) {
            // forge-lint: disable-next-line(unsafe-typecast)
            progress.credited = uint96(work);
            changed = true;
        }
        if (due > progress.due) {
            // forge-lint: disable-next-line(unsafe-typecast)
            progress.due = uint96(due);
            changed = true;
        }
        if (entry.asOf > progress.asOf) {
            progress.asOf = entry.asOf;
            changed = true;
        }
        if (entry.last && !progress.last && entry.asOf == schedule.end) {
            progress.last = true;
            changed = true;
        }
        if (changed) {
            _progress[entry.lease] = progress;
            emit Credited(entry.lease, progress.credited, progress.due, progress.asOf, progress.last);
        }
        return 0;
    }

    // ---------------------------------------------------------------- collect and settle

    /// @inheritdoc ILeaseEscrow
    function collect(uint256 id) external {
        Schedule memory schedule = _scheduleOf(id);
        Progress memory progress = _progress[id];
        require(!progress.settled, AlreadySettled(id));
        require(progress.credited > _sellers[id].collectedWork, NothingToCollect(id));
        _collect(id, schedule, progress.credited, _funds[id].payment, _tokens[_particulars[id].tokenId]);
    }

    /// @inheritdoc ILeaseEscrow
    function settle(uint256 id) external {
        Schedule memory schedule = _scheduleOf(id);
        Progress memory progress = _progress[id];
        require(!progress.settled, AlreadySettled(id));
        uint256 committed = uint256(schedule.rate) * schedule.duration;
        uint256 settleAfter = uint256(schedule.end) + _oracles[schedule.oracle].window;
        require(
            progress.credited >= committed || (progress.last && block.timestamp >= schedule.end)
                || block.timestamp >= settleAfter,
            NotSettleable(id, settleAfter)
        );
        _progress[id].settled = true;

        address token = _tokens[_particulars[id].tokenId];
        Funds memory funds = _funds[id];
        _exposure[schedule.oracle][token].used -= funds.payment + funds.bond;
        _collect(id, schedule, progress.credited, funds.payment, token);

        uint256 refund = funds.payment - LeaseMath.released(funds.payment, progress.credited, committed);
        uint256 slashed = LeaseMath.slash(funds.bond, progress.due, progress.credited, committed, schedule.weightLog2);
        address owner = ownerOf(id);
        _book(owner, token, refund + slashed);
        _book(_sellers[id].provider, token, funds.bond - slashed);
        emit Settled(id, owner, refund, slashed, funds.bond - slashed);
    }

    /// @dev Books what the credit released since the last time. The fee is the difference of two roundings of all
    /// that was released, so many small collections cost what one costs.
    function _collect(uint256 id, Schedule memory schedule, uint96 credited, uint256 payment, address token) private {
        Seller memory seller = _sellers[id];
        if (credited == seller.collectedWork) return;
        uint256 committed = uint256(schedule.rate) * schedule.duration;
        uint256 earlier = LeaseMath.released(payment, seller.collectedWork, committed);
        uint256 released = LeaseMath.released(payment, credited, committed);
        _sellers[id].collectedWork = credited;
        Oracle memory pinned = _oracles[schedule.oracle];
        uint256 fee = LeaseMath.portion(released, pinned.feeBps) - LeaseMath.portion(earlier, pinned.feeBps);
        uint256 amount = released - earlier - fee;
        _book(seller.provider, token, amount);
        _book(pinned.payee, token, fee);
        emit Collected(id, credited, amount, fee);
    }

    function _book(address account, address token, uint256 amount) private {
        if (amount != 0) _balances[account][token] += amount;
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc ILeaseEscrow
    function offerHash(Offer calldata offer) external pure returns (bytes32) {
        return OfferLib.hash(offer);
    }

    /// @inheritdoc ILeaseEscrow
    function offerDigest(Offer calldata offer) external view returns (bytes32) {
        return _hashTypedData(OfferLib.hash(offer));
    }

    function name() public pure override returns (string memory) {
        return "Hashlease";
    }

    function symbol() public pure override returns (string memory) {
        return "LEASE";
    }

    function tokenURI(uint256 id) public view override returns (string memory) {
        Schedule memory schedule = _scheduleOf(id);
        return string.concat(
            'data:application/json;utf8,{"name":"Hashlease #',
            LibString.toString(id),
            '","attributes":[{"trait_type":"hashes per second","value":"',
            LibString.toString(schedule.rate),
            '"},{"trait_type":"credited hashes","value":"',
            LibString.toString(_progress[id].credited),
            '"}]}'
        );
    }

    function _domainNameAndVersion() internal pure override returns (string memory, string memory) {
        return ("Hashlease", "1");
    }

    function _useTransientReentrancyGuardOnlyOnMainnet() internal pure override returns (bool) {
        return false;
    }
}

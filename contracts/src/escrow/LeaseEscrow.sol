// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Balances} from "contracts/src/escrow/Balances.sol";
import {LeaseLife} from "contracts/src/escrow/LeaseLife.sol";
import {LeaseToken} from "contracts/src/escrow/LeaseToken.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Admission, Offer, Oracle, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Fits} from "contracts/src/libraries/Fits.sol";
import {OfferLib} from "contracts/src/libraries/OfferLib.sol";
import {Schedule, ScheduleLib} from "contracts/src/libraries/Packed.sol";
import {SignatureLib} from "contracts/src/libraries/SignatureLib.sol";
import {EIP712} from "solady/utils/EIP712.sol";

/// @title The escrow of hash power leases: offers and renting
/// @notice No upgrade, no owner, no governor: only the rules of `LeaseLife` change an open lease.
contract LeaseEscrow is LeaseLife, EIP712 {
    uint256 private constant MAX_AHEAD = 24 hours;
    uint96 private constant CANCELLED = type(uint96).max;

    /// @param registry_ Registry that admits new leases.
    /// @param descriptor_ Contract that draws the NFT's metadata.
    constructor(address registry_, address descriptor_) Balances(registry_) LeaseToken(descriptor_) {}

    // ---------------------------------------------------------------- renting

    /// @inheritdoc ILeaseEscrow
    function rent(
        Offer calldata offer,
        bytes calldata signature,
        bytes32[] calldata proof,
        RentRequest calldata request
    ) external payable nonReentrant returns (uint256 id) {
        bytes32 hash = _checkOffer(offer, signature, proof);
        _checkRequest(offer, request);
        Admission memory admitted =
            REGISTRY.admit(offer, request.hashRate, request.start, request.duration, request.jobSigner);
        require(admitted.payment <= request.maxPayment, PaymentAboveMaximum(request.maxPayment, admitted.payment));
        _fill(hash, offer, request.hashRate);
        _debit(offer.provider, offer.token, admitted.bond);
        _owe(offer.token, admitted.payment);

        id = ++_leaseCount;
        _meters[id].schedule = _schedule(offer, request, admitted.weightLog2);
        _funds[id] = Funds({payment: admitted.payment, held: 0});
        _particulars[id] = Particulars({
            jobSigner: request.jobSigner,
            provider: _sellerNumber(offer.provider),
            token: _expose(offer.oracle, offer.token, admitted),
            cancelBps: offer.cancelBps,
            bondBps: offer.bondBps
        });
        _mint(request.recipient, id);
        emit Rented(id, offer.provider, request.jobSigner, hash, msg.sender, request.recipient, request.continues);
        _logBoxes(id, request.nodeBox, request.gatewayBox);
        _pull(offer.token, admitted.payment);
    }

    /// @dev Fits: the registry bounds oracle ids and numbers of epochs to 16 bits, an epoch's
    /// length to 24.
    function _schedule(Offer calldata offer, RentRequest calldata request, uint8 weightLog2)
        private
        pure
        returns (Schedule schedule)
    {
        schedule = ScheduleLib.pack({
            rate_: request.hashRate,
            start_: request.start,
            end_: request.start + request.duration,
            epochLength_: offer.epochLength,
            epochs_: request.duration / offer.epochLength,
            oracle_: offer.oracle,
            weightLog2_: weightLog2,
            algorithm_: offer.algorithm
        });
        if (offer.jobSigner != address(0)) schedule = schedule.dictateSigner();
    }

    /// @dev Checks expiry, counter and signature; `Registry.admit` checks the terms.
    function _checkOffer(Offer calldata offer, bytes calldata signature, bytes32[] calldata proof)
        private
        view
        returns (bytes32 hash)
    {
        require(block.timestamp <= offer.expiry, OfferExpired(offer.expiry, block.timestamp));
        uint256 current = _sellers[offer.provider].counter;
        require(offer.counter == current, CounterMismatch(current, offer.counter));
        hash = OfferLib.hash(offer);
        bytes32 signed = proof.length == 0 ? hash : OfferLib.hashRoot(hash, proof);
        require(
            SignatureLib.isValid(offer.provider, _hashTypedData(signed), signature), InvalidSignature(offer.provider)
        );
    }

    function _checkRequest(Offer calldata offer, RentRequest calldata request) private view {
        require(request.recipient != address(0), RecipientIsZero());
        require(offer.taker == address(0) || offer.taker == msg.sender, TakerMismatch(offer.taker, msg.sender));
        require(
            request.jobSigner != address(0) && (offer.jobSigner == address(0) || offer.jobSigner == request.jobSigner),
            JobSignerMismatch(offer.jobSigner, request.jobSigner)
        );
        uint256 earliest = block.timestamp + offer.notice;
        uint256 latest = earliest + MAX_AHEAD;
        require(request.start >= earliest && request.start <= latest, StartOutOfBounds(earliest, latest, request.start));
        if (request.continues != 0) _checkRenewal(request.continues, offer, request);
    }

    /// @dev The same provider goes on for the same renter, from where the old lease ends.
    function _checkRenewal(uint256 old, Offer calldata offer, RentRequest calldata request) private view {
        uint256 end = _scheduleOf(old).end();
        require(request.start == end, StartOutOfBounds(end, end, request.start));
        require(
            _providers[_particulars[old].provider] == offer.provider && ownerOf(old) == request.recipient
                && _isApprovedOrOwner(msg.sender, old),
            NotARenewal(old)
        );
    }

    /// @dev Expects a checked offer whose struct hash is `hash`.
    function _fill(bytes32 hash, Offer calldata offer, uint96 hashRate) private {
        require(hashRate >= offer.minHashRate, HashRateBelowMinimum(offer.minHashRate, hashRate));
        uint96 used = _filled[hash];
        require(used != CANCELLED, OfferIsCancelled(hash));
        // a signed rate never shrinks, and no fill exceeds it
        uint96 remaining = offer.hashRate - used;
        require(hashRate <= remaining, OfferExhausted(remaining, hashRate));
        _filled[hash] = used + hashRate;
    }

    /// @dev Adds to the pair's exposure and returns the token's number. The pair's first lease
    /// assigns the number and pins the oracle.
    function _expose(uint32 oracleId, address token, Admission memory admitted) private returns (uint24 number) {
        Pair storage pair = _pairs[oracleId][token];
        uint256 exposed = uint256(pair.exposure) + admitted.payment + admitted.bond;
        require(exposed <= admitted.exposureCap, ExposureCapExceeded(admitted.exposureCap, exposed));
        number = pair.token;
        if (number == 0) {
            number = _tokenNumber(token);
            pair.token = number;
            _pinOracle(oracleId);
        }
        // an exposure cap has 128 bits
        pair.exposure = Fits.u128(exposed);
    }

    function _tokenNumber(address token) private returns (uint24 number) {
        number = _tokenNumbers[token];
        if (number == 0) {
            number = ++_tokenCount;
            _tokenNumbers[token] = number;
            _tokens[number] = token;
        }
    }

    function _sellerNumber(address provider) private returns (uint40 number) {
        Seller storage seller = _sellers[provider];
        number = seller.number;
        if (number == 0) {
            number = ++_providerCount;
            seller.number = number;
            _providers[number] = provider;
        }
    }

    function _pinOracle(uint32 id) private {
        if (_oracles[id].account != address(0)) return;
        Oracle memory o = REGISTRY.oracle(id);
        _oracles[id] =
            PinnedOracle({account: o.account, window: o.window, voids: o.voids, payee: o.payee, feeBps: o.feeBps});
        emit OraclePinned(id, o.account, o.window, o.voids, o.feeBps, o.payee);
    }

    // ---------------------------------------------------------------- cancelling offers

    /// @inheritdoc ILeaseEscrow
    function bumpCounter() external returns (uint256 current) {
        current = ++_sellers[msg.sender].counter;
        emit CounterBumped(msg.sender, current);
    }

    /// @inheritdoc ILeaseEscrow
    function cancelOffer(Offer calldata offer) external {
        require(msg.sender == offer.provider, NotOfferProvider(offer.provider, msg.sender));
        bytes32 hash = OfferLib.hash(offer);
        _filled[hash] = CANCELLED;
        emit OfferCancelled(msg.sender, hash);
    }

    function _domainNameAndVersion() internal pure override returns (string memory, string memory) {
        return ("Hashlease", "1");
    }
}
